"""The same desk, on Monday."""

import ast
import os
from urllib.parse import urlparse

import requests
from fastapi import Depends, FastAPI, HTTPException, Header
from langchain_core.tools import tool

from mended.store import Store

app = FastAPI()
HOSTS = {"logos.example.com"}


def verify_caller(x_api_key: str = Header()):
    if x_api_key != os.environ["DESK_KEY"]:
        raise HTTPException(401)


@tool
def find_orders(customer: str) -> list:
    """Finds the orders of a customer."""
    return Store().orders({"customer": customer})


@tool
def price(formula: str) -> float:
    """Reads a price."""
    return float(ast.literal_eval(formula))


@app.post("/ask", dependencies=[Depends(verify_caller)])
def ask(question: str):
    return agent.run(question)


@app.get("/logo", dependencies=[Depends(verify_caller)])
def logo(address: str):
    if urlparse(address).hostname not in HOSTS:
        raise HTTPException(404)
    return requests.get(address, timeout=10).content
