"""A chain of 10 steps in dynamiq, each handing its value on: `dynamiq.py [RUNS]`.

Prints one line of JSON: the median of microseconds a step, of the faster of its two ways to run a flow, as
anybody who uses it gets it, and once more without the millisecond it sleeps after each step.
"""

import asyncio
import json
import logging
import statistics
import sys
import time
from importlib.metadata import version
from typing import Literal
from unittest.mock import patch

# This file has the name of the package; its folder must not come first.
sys.path.pop(0)

from dynamiq import Workflow  # noqa: E402
from dynamiq.flows import Flow  # noqa: E402
from dynamiq.nodes import Node, NodeGroup  # noqa: E402

STEPS = 10
WARM_UP = 20


class Same(Node):
    group: Literal[NodeGroup.TOOLS] = NodeGroup.TOOLS
    name: str = "same"

    def execute(self, input_data, config=None, **kwargs):
        return {"value": input_data["value"]}

    async def execute_async(self, input_data, config=None, **kwargs):
        return {"value": input_data["value"]}


def chain():
    nodes = [Same(id="l0")]
    for at in range(1, STEPS):
        before = nodes[-1]
        nodes.append(Same(id=f"l{at}").inputs(value=before.outputs.value).depends_on(before))
    return Workflow(flow=Flow(nodes=nodes))


def check(result):
    last = result.output[f"l{STEPS - 1}"]
    if last["status"] != "success" or last["output"] != {"value": 1}:
        raise SystemExit(f"the chain did not hand its value on: {last}")


def micros_a_step(times):
    return statistics.median(times) * 1e6 / STEPS


def run_sync(runs):
    workflow, times = chain(), []
    for _ in range(runs + WARM_UP):
        started = time.perf_counter()
        result = workflow.run_sync({"value": 1})
        times.append(time.perf_counter() - started)
        check(result)
    return micros_a_step(times[WARM_UP:])


async def run_async(runs):
    workflow, times = chain(), []
    for _ in range(runs + WARM_UP):
        started = time.perf_counter()
        result = await workflow.run_async({"value": 1})
        times.append(time.perf_counter() - started)
        check(result)
    return micros_a_step(times[WARM_UP:])


def faster(runs):
    ways = {"sync": run_sync(runs), "async": asyncio.run(run_async(runs))}
    best = min(ways, key=ways.get)
    return best, round(ways[best], 2)


def main():
    # Its log lines would be most of what is measured.
    logging.disable(logging.CRITICAL)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    way, us = faster(runs)
    yields = asyncio.sleep
    with patch("time.sleep", lambda _: None), patch("asyncio.sleep", lambda _: yields(0)):
        way_awake, us_awake = faster(runs)
    print(json.dumps({
        "peer": f"dynamiq {version('dynamiq')}",
        "steps": STEPS,
        "runs": runs,
        "us_a_step": us,
        "way": way,
        "us_a_step_without_sleep": us_awake,
        "way_without_sleep": way_awake,
    }))


if __name__ == "__main__":
    main()
