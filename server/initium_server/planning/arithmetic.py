"""Expressions for numbers, as data: the closed arithmetic of `InitRule.computed`, whose grammar init.proto gives.

Everything is binary64 by operations that IEEE 754 rounds correctly, so a value is the same on every machine. An
expression is parsed into nested functions by hand; nothing is ever executed as code.
"""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence

from initium.contract.wording import suggestion

MAX_LENGTH = 200
"""Characters of one expression."""

MAX_DEPTH = 32
"""How deep parentheses, functions and signs may stand in one another."""

Lookup = Callable[[str, int | None], float]
"""The value of a name, with the index in brackets behind it. ValueError where there is none."""

Expression = Callable[[Lookup], float]
"""A parsed expression: its value, given what its names stand for. ValueError where it has none."""

_TOKEN = re.compile(r"\s*(?:([0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)|([A-Za-z_][A-Za-z_0-9]*)|([-+*/(),\[\]])|$)")

Function = Callable[[Sequence[float]], float]


@functools.lru_cache(1024)
def parse(text: str, names: tuple[str, ...], indexed: tuple[str, ...], slope: str = "") -> Expression:
    """The expression that `text` holds.

    `names` are the names that it may use, `indexed` those with an index behind them, `slope` one more function, of one
    argument. ValueError for anything else, with the nearest right word.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the expression has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    return _Parser(text, names, indexed, slope).whole()


def _divide(left: float, right: float) -> float:
    if right == 0:
        raise ValueError("division by zero")
    return left / right


def _sqrt(values: Sequence[float]) -> float:
    if values[0] < 0:
        raise ValueError(f"the root of {values[0]:g}")
    return math.sqrt(values[0])


_OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divide}
_FUNCTIONS: dict[str, Function] = {"sqrt": _sqrt, "min": min, "max": max}


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{what} is not finite")
    return value


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str, names: Sequence[str], indexed: Sequence[str], slope: str) -> None:
        self._names, self._indexed = names, indexed
        self._functions = (*_FUNCTIONS, *filter(None, [slope]))
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._sum()
        if self._next:
            raise ValueError(f"{self._next!r} stands where the expression should end or an operator should stand")
        return expression

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._next
        if wanted and token not in wanted:
            raise ValueError(f"{' or '.join(map(repr, wanted))} is missing before {token or 'the end'!r}")
        self._at += 1
        return token

    def _sum(self) -> Expression:
        return self._chain(self._product, "+", "-")

    def _product(self) -> Expression:
        return self._chain(self._factor, "*", "/")

    def _chain(self, operand: Callable[[], Expression], *signs: str) -> Expression:
        left = operand()
        while self._next in signs:
            left = _binary(self._take(), left, operand())
        return left

    def _factor(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"the expression nests more than {MAX_DEPTH} deep")
        try:
            return self._atom()
        finally:
            self._depth -= 1

    def _atom(self) -> Expression:
        token = self._take()
        if token == "-":
            operand = self._factor()
            return lambda look: -operand(look)
        if token == "(":
            inner = self._sum()
            self._take(")")
            return inner
        if token[:1].isdigit():
            value = _finite(float(token), token)
            return lambda look: value
        if token[:1].isidentifier():
            return self._call(token) if self._next == "(" else self._name(token)
        raise ValueError(f"a number, a name or a parenthesis is missing before {token or 'the end'!r}")

    def _name(self, name: str) -> Expression:
        if name in self._indexed:
            self._take("[")
            index = self._take()
            if not index.isdigit():
                raise ValueError(f"{name}[{index}] has no axis; write {name}[0], {name}[1] and so on")
            self._take("]")
            return lambda look: look(name, int(index))
        if name in self._functions and name not in self._names:
            raise ValueError(f"{name} is a function; write {name}(...)")
        if name not in self._names:
            raise ValueError(_unknown(name, (*self._names, *(f"{each}[0]" for each in self._indexed)), "names"))
        return lambda look: look(name, None)

    def _call(self, name: str) -> Expression:
        if name not in self._functions:
            raise ValueError(_unknown(name, self._functions, "functions"))
        self._take("(")
        operands = [self._sum()]
        while self._take(",", ")") == ",":
            operands.append(self._sum())
        if name not in ("min", "max") and len(operands) != 1:
            raise ValueError(f"{name} takes 1 argument, not {len(operands)}")
        function = _FUNCTIONS.get(name, _leaky_relu)
        return lambda look: function([operand(look) for operand in operands])


def _binary(sign: str, left: Expression, right: Expression) -> Expression:
    apply = _OPERATORS[sign]
    return lambda look: _finite(apply(left(look), right(look)), "its value")


def _leaky_relu(values: Sequence[float]) -> float:
    """torch.nn.init.calculate_gain("leaky_relu", slope)."""
    return math.sqrt(2.0 / _finite(1.0 + values[0] * values[0], "the square of the slope"))


def _tokens(text: str) -> Iterable[str]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise ValueError(f"{text[at]!r} at character {at + 1} is no part of an expression")
        if match.end() == at:
            break
        at = match.end()
        yield from filter(None, match.groups())


def _unknown(name: str, known: Iterable[str], kind: str) -> str:
    return f"unknown {kind[:-1]} {name!r}; {suggestion(name, known, kind)}"
