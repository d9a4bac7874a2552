"""What somebody does with the client: each line of output is compared."""

import sys

from ringmail_client import (Client, Failed, InvalidInput, NotFound, Problem, TooManyCalls, Unauthenticated,
                             Unreachable)

url, key, authority = sys.argv[1:4]
client = Client(url, key=key, authority=authority)

ordered = client.order({"customer": {"name": "Ada", "class": None}, "lines": [{"sku": "a", "count": 2}], "way": "post"})
print(ordered["total"], ordered["to"])
print(client.picture({"it": b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;"}))
print(client.class_())
try:
    client.order({"customer": {"name": "Ada"}, "lines": [], "way": "fly"})
except InvalidInput as problem:
    print(problem.status, problem.code, "way" in problem.detail, problem.id is not None)
try:
    client.gone()
except NotFound as problem:
    print(problem.status, problem.code)
try:
    Client(url, key="rmk_wrong", authority=authority).class_()
except Unauthenticated as problem:
    print(problem.status, problem.code, isinstance(problem, Problem))
try:
    client.broken()
except Failed as problem:
    print(problem.status, problem.code, problem.detail)
stream = client.steps({})
print(stream)
stream = client.steps.stream({})
print([piece for piece in stream], stream.output)
with client.steps.stream({}) as stream:
    print(next(iter(stream)))
try:
    list(client.broken.stream())
except Failed as problem:
    print(problem.code)
run = client.order.later({"customer": {"name": "Bob"}, "lines": [], "way": "van"})
print(run.wait(timeout=60, every=0.02)["to"], run.state())
run = client.pause.later()
print(run.state())
try:
    run.wait(timeout=0.1, every=0.05)
except Unreachable as error:
    print(error)
run.cancel()
try:
    run.wait(timeout=60, every=0.02)
except Failed as problem:
    print(problem.code)
try:
    client.pause(timeout=0.2)
except Unreachable:
    print("late")
for wrong in ["http://example.com", "ftp://127.0.0.1", "https://user@127.0.0.1", "https://127.0.0.1/?a=b"]:
    try:
        Client(wrong)
    except ValueError as error:
        print(type(error).__name__)
try:
    Client(url, key=key).class_()
except Unreachable as error:
    print("CERTIFICATE_VERIFY_FAILED" in str(error), key in repr(client) or key in str(error))
try:
    for _ in range(5):
        client.rare()
except TooManyCalls as problem:
    print(problem.status, problem.retry_after >= 1)
