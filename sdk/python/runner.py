"""Runs the program of a `python` link, once, in an instance that ends with it.

Whatever a program does to this module it does to itself: the walls stand around the interpreter, not in it."""

# Imported here, a module lies in the snapshot and costs a run nothing.
import __future__
import _strptime
import abc
import argparse
import array
import ast
import base64
import binascii
import bisect
import builtins
import calendar
import cmath
import codecs
import collections
import collections.abc
import colorsys
import contextlib
import contextvars
import copy
import csv
import dataclasses
import datetime
import decimal
import difflib
import enum
import fnmatch
import fractions
import functools
import gc
import graphlib
import gzip
import hashlib
import heapq
import hmac
import html
import html.parser
import importlib.abc
import importlib.util
import inspect
import io
import ipaddress
import itertools
import json
import keyword
import linecache
import locale
import logging
import math
import numbers
import operator
import os
import os.path
import pathlib
import pickle
import pprint
import random
import re
import reprlib
import secrets
import shlex
import statistics
import string
import struct
import sys
import textwrap
import threading
import time
import tomllib
import traceback
import types
import typing
import unicodedata
import urllib.parse
import uuid
import warnings
import weakref
import xml.etree.ElementTree
import zlib
import zoneinfo

import wit_world
from componentize_py_types import Err
from wit_world.imports import config
from wit_world.imports import tools as host

# What a program is called in tracebacks.
PROGRAM = "<program>"
PRINTED_CHARS_MAX = 32 << 10
MESSAGE_CHARS_MAX = 2000
# Whoever reads one of these may make names, or do without them.
LOOSE = {"exec", "eval", "globals", "locals", "vars", "NameError", "__builtins__"}


class ToolError(Exception):
    """A tool that was called brought nothing."""


class ToolRefused(ToolError):
    """A gate said no to a call of a tool."""


def tool(name):
    def call(**arguments):
        try:
            return json.loads(host.call(name, json.dumps(arguments, allow_nan=False)))
        except Err as err:
            kind = ToolRefused if err.value.refused else ToolError
            raise kind(f"{name}: {err.value.message}") from None

    call.__name__ = call.__qualname__ = name
    return call


class Printed(io.TextIOBase):
    """What is printed, up to a limit; the rest is dropped."""

    left = PRINTED_CHARS_MAX

    def writable(self):
        return True

    def write(self, text):
        if self.left > 0:
            sys.__stdout__.write(text[: self.left])
            self.left -= len(text)
            if self.left <= 0:
                sys.__stdout__.write(" ...\n")
        return len(text)


class Libraries(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds the modules that an operator put beside the interpreter. There is no file system to find them in."""

    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        package = self.names.get(name)
        return None if package is None else importlib.util.spec_from_loader(name, self, is_package=package)

    def is_package(self, name):
        return self.names[name]

    def get_source(self, name):
        source = config.get(f"module:{name}")
        if source is None:
            raise ImportError(f"no module named {name}", name=name)
        return source

    def get_code(self, name):
        return compile(self.get_source(name), f"<{name}>", "exec", dont_inherit=True)


def run(asked):
    code, given = asked["code"], asked["input"]
    sys.stdout = sys.stderr = Printed()
    sys.meta_path.append(Libraries(asked["libraries"]))
    # The snapshot holds a state that every run would share.
    random.seed(os.urandom(32))
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    names = module.__dict__
    if isinstance(given, dict):
        names.update((name, value) for name, value in given.items() if name.isidentifier())
    names.update(input=given, ToolError=ToolError, ToolRefused=ToolRefused)
    names.update((name, tool(name)) for name in asked["tools"])
    try:
        exec(compile(code, PROGRAM, "exec", dont_inherit=True), names)
        result = json.dumps(names.get("result"), allow_nan=False, check_circular=True, default=wordless)
    except BaseException as error:
        raise Err(said(error, code)[:MESSAGE_CHARS_MAX]) from None
    finally:
        sys.__stdout__.flush()
    return result


def wordless(value):
    raise TypeError(f"the result holds a {type(value).__name__}, which JSON has no word for")


def said(error, code):
    """What went wrong, with the line of the program it came from."""
    if isinstance(error, SyntaxError) and error.filename == PROGRAM:
        return f"line {error.lineno}: SyntaxError: {error.msg}"
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == PROGRAM:
            line = trace.tb_lineno
        trace = trace.tb_next
    text = "".join(traceback.format_exception_only(error)).strip()
    return text if line is None else f"line {line}: {text}"


def check(asked):
    """What can be said of a program that does not run: whether it is one, and which names nothing gives it."""
    try:
        tree = compile(asked["code"], PROGRAM, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        compile(tree, PROGRAM, "exec", dont_inherit=True)
    except SyntaxError as error:
        return {"error": error.msg, "line": error.lineno, "column": error.offset}
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return {"error": str(error) or type(error).__name__, "line": 1, "column": 1}
    known = set(dir(builtins)) | set(asked["given"]) | {"input", "ToolError", "ToolRefused", "__name__"}
    bound, read, star = set(), {}, False
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                read.setdefault(name, node)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                bound.add(name)
            case ast.TypeVar(name=name) | ast.ParamSpec(name=name) | ast.TypeVarTuple(name=name):
                bound.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                star = star or any(alias.name == "*" for alias in names)
                bound.update(alias.asname or alias.name.split(".")[0] for alias in names)
            case ast.Global(names=names):
                bound.update(names)
    tools = set(asked["tools"]) - bound
    # Names may come about in ways that only a run shows.
    loose = star or not LOOSE.isdisjoint(read)
    known |= bound | tools
    unknown = {name: node for name, node in read.items() if name not in known and not name.startswith("__")}
    if loose or asked["open"]:
        unknown = {}
    return {
        "open": loose,
        "tools": sorted(tools & set(read)),
        "unknown": [{"name": name, "line": node.lineno, "column": node.col_offset + 1} for name, node in unknown.items()],
    }


class WitWorld(wit_world.WitWorld):
    def call(self, input: str) -> str:
        asked = json.loads(input)
        return json.dumps(check(asked)) if asked["check"] else run(asked)
