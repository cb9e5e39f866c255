"""Initializers for certain layers: classifiers' and recurrent layers' biases, embeddings."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

from initium.contract.canonical import hex_float
from initium.contract.wording import suggestion
from initium_law import grammar as fills
from initium_server.planning.initializers.registry import Resolution, below, initializer, number, required
from initium_server.planning.target import Target

_LOGARITHMS = Context(prec=60)
"""Digits enough that rounding to binary64 gives the nearest number on every machine; `math.log` is the platform's."""


@initializer(torch=False)
def prior_probability(args: Any, target: Target) -> Resolution:
    """Lin et al. 2017, arXiv 1708.02002, section 4.1; timm.models.vision_transformer's head bias."""
    if args.HasField("p") == args.HasField("classes"):
        raise ValueError("give exactly one of p and classes")
    name = "p" if args.HasField("p") else "classes"
    given = number(args, name)
    if given <= 0 or (name == "p" and given >= 1):
        raise ValueError(f"{name} is {given}; it must be {'between 0 and 1' if name == 'p' else 'more than 0'}")
    exact = Decimal(given)
    odds = _LOGARITHMS.divide(_LOGARITHMS.subtract(Decimal(1), exact), exact) if name == "p" else exact
    value = 0.0 - float(_LOGARITHMS.ln(odds))  # never -0
    return Resolution(fills.Constant(value), {"value": hex_float(value)})


_GATES = {"LSTM": ("input", "forget", "cell", "output"), "GRU": ("reset", "update", "new")}
"""In the order in which torch.nn stacks them."""


@initializer(torch=False)
def gate_bias(args: Any, target: Target) -> Resolution:
    """Gers et al. 2000, Jozefowicz et al. 2015: the forget gate begins open."""
    gates = _gates(target)
    given = {field.name: number(args, field.name) for field, _ in args.ListFields()}
    strange = next((name for name in given if name not in gates), None)
    if strange:
        raise ValueError(f"{target.owner.classes[0]} has no gate {strange!r}; {suggestion(strange, gates, 'gates')}")
    if target.owner.leaf.startswith("bias_hh") or not given:
        return Resolution(fills.Constant(0.0))
    hidden = target.shape[0] // len(gates)
    boxes = ((i * hidden, (i + 1) * hidden, given[name]) for i, name in enumerate(gates) if name in given)
    parts = tuple(fills.Part((start,), (stop,), fills.Constant(value)) for start, stop, value in boxes)
    return Resolution(fills.Parts(fills.Constant(0.0), parts))


def _gates(target: Target) -> tuple[str, ...]:
    kinds = {name.removesuffix("Cell") for name in target.owner.classes}
    gates = next((names for kind, names in _GATES.items() if kind in kinds), None)
    bias = target.owner.leaf.startswith(("bias_ih", "bias_hh"))
    if gates is None or not bias or len(target.shape) != 1 or target.shape[0] % len(gates):
        raise ValueError(
            f"{target.name} is no bias of an LSTM or GRU layer; match `module: [LSTM]` and `regex: ['bias_(ih|hh)']`"
        )
    return gates


@initializer
def padded(args: Any, target: Target) -> Resolution:
    """torch.nn.Embedding(padding_idx=...): its row is zero."""
    made, row = required(args, target), padding_row(args, target)
    start, stop = (row, *(0 for _ in target.shape[1:])), (row + 1, *target.shape[1:])
    fill = fills.Parts(made.fill, (fills.Part(start, stop, fills.Constant(0.0)),))
    return Resolution(fill, below("of", made) | {"row": str(row)})


def padding_row(args: Any, target: Target) -> int:
    """The row that is zero. ValueError if there is none."""
    row = args.row if args.HasField("row") else target.owner.padding_idx
    if row is None:
        raise ValueError(f"{target.owner.name} belongs to no module with a padding_idx; give `row`")
    rows = target.shape[0] if target.shape else 0
    if not -rows <= row < rows:
        raise ValueError(f"row {row} is none of the {rows}; {target.shown}")
    return row % rows
