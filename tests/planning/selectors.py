"""Selectors as data."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format

from initium.v1 import init_pb2
from initium_server.planning.selectors import Matcher, compile_selector


def message(selector: dict[str, Any]) -> init_pb2.Selector:
    """The selector as a message."""
    return json_format.ParseDict(selector, init_pb2.Selector())


def compiled(selector: dict[str, Any]) -> Matcher:
    """The selector as it is compiled in a rule, at the path `match`."""
    return compile_selector(message(selector), "match")
