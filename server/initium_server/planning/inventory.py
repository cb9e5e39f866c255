"""The inventory: the tensors of a built architecture, with everything rules can select on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from initium.v1.plan_pb2 import TensorKind
from initium_law.grammar import Fill

ROLES = (
    *("parameter", "buffer", "weight", "bias"),
    *("norm", "embedding", "conv", "linear", "recurrent", "attention", "activation", "head"),
)
"""The role vocabulary; `Selector.role` in init.proto gives the meanings."""


TENSOR_KINDS: Mapping[str, TensorKind] = {
    "parameter": TensorKind.TENSOR_KIND_PARAMETER,
    "buffer": TensorKind.TENSOR_KIND_BUFFER,
}
"""What a tensor is, as contracts say it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The module that directly owns a tensor under one of its names."""

    name: str
    """Full dotted tensor name, e.g. `layer1.0.conv1.weight`."""
    classes: tuple[str, ...]
    """Class names in method resolution order, the owner's own first, `Module` last (`object` left out)."""
    class_path: str
    """Qualified name of the owner's class, e.g. `torch.nn.modules.conv.Conv2d`."""
    block: int | None = None
    """Index in the outermost container with two or more children of one class; None outside such a stack."""
    blocks: int | None = None
    """How many blocks that container has."""
    groups: int | None = None
    """Groups of the owner, if it is a convolution."""
    padding_idx: int | None = None
    """The owner's padding row, if it is an embedding that has one."""

    @property
    def module_path(self) -> str:
        """Dotted path of the owning module; empty for the root."""
        return self.name.rpartition(".")[0]

    @property
    def leaf(self) -> str:
        """The tensor's own name in its module."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class FanAxes:
    """Which axes count as fan in and fan out; all others but `batch` multiply both (receptive field)."""

    fan_in: tuple[int, ...]
    fan_out: tuple[int, ...]
    batch: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class InventoryTensor:
    """One tensor. Tied tensors appear once, under their first `named_parameters` name."""

    owners: tuple[Owner, ...]
    """Every (module, name) under which the tensor is reached; the first one names it."""
    shape: tuple[int, ...]
    dtype: str
    """safetensors dtype name as the library built it (`F32`, `I64`, ...)."""
    kind: str
    """`parameter` or `buffer`."""
    trainable: bool
    default: Fill | None
    """The fill that the library's own constructor gives; None where there is none (see `default_error`)."""
    default_error: str = ""
    """Why `default` is None: what the library did that the grammar of fills cannot express."""
    roles: tuple[str, ...] = ()
    """Words of the role vocabulary: parameter, buffer, weight, bias, norm, embedding, conv, linear, head, ..."""
    fan_axes: FanAxes | None = None
    """None means torch's convention: axis 0 out, axis 1 in, the rest receptive field."""

    @property
    def name(self) -> str:
        return self.owners[0].name

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(owner.name for owner in self.owners[1:])


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an architecture source built. Order of `tensors`: parameters first, then buffers, in registration order."""

    tensors: tuple[InventoryTensor, ...]
    literals: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes of every `Literal` fill, by digest."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Small files that travel beside the weights, e.g. `config.json`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Library versions that built it, e.g. `{"torch": "2.14.1", "timm": "1.0.31"}`."""
