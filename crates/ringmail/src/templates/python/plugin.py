"""Takes JSON and gives JSON. An `Err` is why the link fails."""

import json

import wit_world
from componentize_py_types import Err


class WitWorld(wit_world.WitWorld):
    def call(self, input: str) -> str:
        name = json.loads(input)["name"]
        if name == "":
            raise Err("there is nobody to greet")
        return json.dumps({"greeting": f"hello {name}"})
