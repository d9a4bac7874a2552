"""A desk that looks up orders for a model, as somebody wrote it on a Friday."""

import logging

import requests
from fastapi import FastAPI
from langchain_core.tools import tool

from service.store import Store

app = FastAPI()
log = logging.getLogger("desk")


@tool
def find_orders(customer: str) -> list:
    """Finds the orders of a customer."""
    return Store().orders({"customer": customer, "table": "orders"})


@tool
def price(formula: str) -> float:
    """Computes a price."""
    return eval(formula)


@app.post("/ask")
def ask(question: str):
    return agent.run(question)


@app.get("/logo")
def logo(address: str, user=None):
    return requests.get(address, verify=False).content
