"""A plan as a table for people: a row for every tensor, or for all equal ones of a repeated stack."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from initium.cli import words
from initium.cli.fold import fold
from initium.cli.table import fits, table, wrapped_table
from initium.contract.canonical import to_json
from initium.contract.wording import counted
from initium.v1.init_pb2 import InitRule
from initium.v1.plan_pb2 import TENSOR_KIND_BUFFER, Plan, PlannedTensor

_HEADER = ("tensor", "shape", "dtype", "rule", "fill", "group")
_RULE = re.compile(r"init\.rules\[(\d+)\]")


class _Cells(NamedTuple):
    """What a row says beside its name; equal rows fold."""

    shape: str
    dtype: str
    rule: str
    """Path of the rule; empty for the library's default."""
    label: str
    initializer: str
    fill: str
    short_fill: str
    group: int | None
    frozen: bool
    buffer: bool
    exact: bytes
    """The fill, of which words say a few digits."""


Rows = Sequence[tuple[str, _Cells]]


def plan_table(plan: Plan, tensors: Iterable[PlannedTensor], width: int | None, every: bool) -> Iterator[str]:
    """The lines for some tensors of a plan, in the model's order.

    `width`: columns of the terminal, None for any. `every`: a row for each tensor.
    """
    tensors = sorted(tensors, key=lambda tensor: tensor.ordinal)
    given = [(" = ".join([tensor.name, *tensor.aliases]), _cells(plan, tensor)) for tensor in tensors]
    rows = given if every else _folded(given)
    yield from _lines(plan, rows, width)
    if len(rows) < len(given):
        strided = (
            "; `0-10/2` is every second from 0 to 10" if any(re.search(r"\d/\d", name) for name, _ in rows) else ""
        )
        yield f"{counted(len(given), 'tensor')} in {counted(len(rows), 'row')}; --all shows each{strided}"


def _lines(plan: Plan, rows: Rows, width: int | None) -> Iterator[str]:
    """As much as there is room for: all in words, less of it, or only what the summary explains."""
    wide = [(name, one.shape, one.dtype, _rule(one), one.fill, _group(plan, one)) for name, one in rows]
    if width is None or fits(_HEADER, wide, width):
        yield from table(_HEADER, wide)
        return
    ((usual, _),) = Counter(one.dtype for _, one in rows).most_common(1)
    for named in (True, False):
        header, narrow = _without_empty_columns(
            [word for word in _HEADER if word != "dtype"],
            [
                (name, _shape(one, usual), _short_rule(one, named), one.short_fill, _group(plan, one, named))
                for name, one in rows
            ],
        )
        if fits(header, narrow, width):
            break
    yield from wrapped_table(header, narrow, width, header.index("tensor"), header.index("fill"))
    yield f"dtype {usual} where none is said"


def _without_empty_columns(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)]
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows]


def _cells(plan: Plan, tensor: PlannedTensor) -> _Cells:
    return _Cells(
        words.shape(tensor.shape),
        tensor.dtype,
        tensor.rule,
        tensor.rule_name,
        tensor.initializer,
        fill_words(plan, tensor),
        fill_words(plan, tensor, short=True),
        tensor.group if tensor.HasField("group") else None,
        tensor.kind != TENSOR_KIND_BUFFER and not tensor.trainable,
        tensor.kind == TENSOR_KIND_BUFFER,
        tensor.fill.SerializeToString(deterministic=True),
    )


def fill_words(plan: Plan, tensor: PlannedTensor, short: bool = False) -> str:
    """The fill of a tensor; under generator `torch`, which has none, the initializer of its rule as it is written."""
    if tensor.HasField("fill"):
        return words.fill(tensor.fill, short)
    found = _RULE.fullmatch(tensor.rule)
    rules = plan.recipe.init.rules
    if found and int(found[1]) < len(rules):
        return _call(rules[int(found[1])])
    return tensor.initializer or "library default"  # A preset's rule does not stand in the recipe.


def _call(rule: InitRule) -> str:
    name = rule.WhichOneof("initializer") or ""
    arguments = ", ".join(f"{key}={value}" for key, value in to_json(getattr(rule, name)).items())
    return f"{name}({arguments})"


def _folded(rows: Rows) -> Rows:
    """Equal rows of stacks as one, and the library's own buffers by their last name: one is as the other."""
    folded: dict[Hashable, list[tuple[str, _Cells]]] = {}
    for name, one, _ in fold(rows):
        leaf = name.rpartition(".")[2]
        own = one.buffer and not one.rule and " = " not in name and leaf != name
        folded.setdefault((leaf, one.dtype, one.exact) if own else name, []).append((name, one))
    return [_one_row(same) for same in folded.values()]


def _one_row(rows: Rows) -> tuple[str, _Cells]:
    name, first = rows[0]
    if len(rows) == 1:
        return name, first
    shapes = {one.shape for _, one in rows}
    return f"**.{name.rpartition('.')[2]}", first if len(shapes) == 1 else first._replace(shape=f"{len(shapes)} shapes")


def _rule(one: _Cells) -> str:
    rule = " ".join(filter(None, (one.rule, one.label))) or "library default"
    return f"{rule}: {one.initializer}" if one.initializer else rule


def _short_rule(one: _Cells, named: bool) -> str:
    index = short_path(one.rule)
    return f"{index} {one.label or one.initializer}" if index and named else index


def short_path(rule: str) -> str:
    """The index of a rule, as narrow tables have it; paths of other forms as they are."""
    found = _RULE.fullmatch(rule)
    return found[1] if found else rule


def _shape(one: _Cells, usual: str) -> str:
    return one.shape if one.dtype == usual else f"{one.shape} {one.dtype}"


def _group(plan: Plan, one: _Cells, named: bool = True) -> str:
    if one.group is None:
        return "frozen" if one.frozen else ""
    return f"{one.group} {plan.groups.groups[one.group].name}" if named else str(one.group)
