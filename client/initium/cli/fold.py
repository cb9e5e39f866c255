"""Rows of a repeated stack become one: `layers.0-31.mlp.weight` for 32 names that differ in one number."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)

_NUMBER = re.compile(r"(?<![0-9])(0|[1-9][0-9]{0,8})(?![0-9])")


class Folded(NamedTuple, Generic[Key]):
    """One row for so many `names`."""

    name: str
    key: Key
    names: int


class _Row(NamedTuple, Generic[Key]):
    """A name as what stands around its numbers, and for each place of a number all that it may be."""

    texts: tuple[str, ...]
    numbers: tuple[tuple[int, ...], ...]
    key: Key


def fold(rows: Iterable[tuple[str, Key]]) -> list[Folded[Key]]:
    """Rows of distinct names, each with all else that it says; a row stands where the first of its names stood.

    Numbers further right are folded first, so that `blocks.0.bn1` and `blocks.0.bn2` meet before blocks do.
    """
    left = [_row(name, key) for name, key in rows]
    for place in reversed(range(max((len(row.numbers) for row in left), default=0))):
        alike: dict[Hashable, list[_Row[Key]]] = {}
        for row in left:
            before, behind = row.numbers[:place], row.numbers[place + 1 :]
            alike.setdefault((row.texts, before, behind, row.key), []).append(row)
        left = [_merged(same, place) for same in alike.values()]
    return [Folded(_name(row), row.key, math.prod(map(len, row.numbers))) for row in left]


def _row(name: str, key: Key) -> _Row[Key]:
    parts = _NUMBER.split(name)
    return _Row(tuple(parts[::2]), tuple((int(digits),) for digits in parts[1::2]), key)


def _merged(rows: Sequence[_Row[Key]], place: int) -> _Row[Key]:
    texts, numbers, key = rows[0]
    every = tuple(sorted(number for row in rows for each in row.numbers[place : place + 1] for number in each))
    return _Row(texts, (*numbers[:place], *((every,) if every else ()), *numbers[place + 1 :]), key)


def _name(row: _Row[Key]) -> str:
    numbers = [*map(ranges, row.numbers), ""]
    return "".join(text + number for text, number in zip(row.texts, numbers, strict=True))


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in short: `0-3,7`; `0-10/2` is every second from 0 to 10."""
    parts, i = [], 0
    while i < len(numbers):
        step = numbers[i + 1] - numbers[i] if i + 1 < len(numbers) else 1
        run = 1
        while i + run < len(numbers) and numbers[i + run] - numbers[i + run - 1] == step:
            run += 1
        if run == 2 and step > 1:  # two that are no neighbours make no pattern
            run = 1
        last = numbers[i + run - 1]
        parts.append(str(last) if run == 1 else f"{numbers[i]}-{last}{f'/{step}' if step > 1 else ''}")
        i += run
    return ",".join(parts)
