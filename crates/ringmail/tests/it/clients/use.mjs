// What somebody does with the client: each line of output is compared.
import { Client, Failed, InvalidInput, NotFound, Problem, TooManyCalls, Unauthenticated, Unreachable } from "./ringmail_client.js";

const [url, key] = process.argv.slice(2);
const client = new Client(url, { key });
const print = (...values) => console.log(values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" "));
/** What a call is turned away with; nothing else may be. */
const turned = async (kind, call, shown) => {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    return print(...shown(error));
  }
  throw new Error("it went well");
};

const ordered = await client.order({ customer: { name: "Ada", class: null }, lines: [{ sku: "a", count: 2 }], way: "post" });
print(ordered.total, ordered.to);
const picture = "GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
print(await client.picture({ it: Buffer.from(picture, "latin1") }));
print(await client.class());
const wrong = { customer: { name: "Ada" }, lines: [], way: "fly" };
await turned(InvalidInput, () => client.order(wrong), (p) => [p.status, p.code, p.detail.includes("way"), p.id !== undefined]);
await turned(NotFound, () => client.gone(), (p) => [p.status, p.code]);
await turned(Unauthenticated, () => new Client(url, { key: "rmk_wrong" }).class(), (p) => [p.status, p.code, p instanceof Problem]);
await turned(Failed, () => client.broken(), (p) => [p.status, p.code, p.detail ?? "None"]);
print(await client.steps({}));
const stream = await client.steps.stream({});
const pieces = [];
for await (const piece of stream) pieces.push(piece);
print(pieces, await stream.output());
for await (const piece of await client.steps.stream({})) {
  print(piece);
  break;
}
await turned(Failed, async () => (await client.broken.stream()).output(), (p) => [p.code]);
const run = await client.order.later({ customer: { name: "Bob" }, lines: [], way: "van" });
print((await run.wait({ timeoutMs: 60_000, everyMs: 20 })).to, await run.state());
const long = await client.pause.later();
print(await long.state());
await turned(Unreachable, () => long.wait({ timeoutMs: 100, everyMs: 50 }), (error) => [error.message]);
await long.cancel();
await turned(Failed, () => long.wait({ timeoutMs: 60_000, everyMs: 20 }), (p) => [p.code]);
await turned(Unreachable, () => client.pause(null, { timeoutMs: 200 }), () => ["late"]);
for (const place of ["http://example.com", "ftp://127.0.0.1", "https://user@127.0.0.1", "https://127.0.0.1/?a=b"]) {
  await turned(TypeError, () => new Client(place), () => ["ValueError"]);
}
// Which authorities count is the environment's here.
print(true, JSON.stringify(client).includes(key));
const often = async () => {
  for (let call = 0; call < 5; call += 1) await client.rare();
};
await turned(TooManyCalls, often, (p) => [p.status, p.retryAfter >= 1]);
