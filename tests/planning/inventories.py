"""Small hand-made inventories for tests of planning, which knows nothing of torch."""

from __future__ import annotations

from initium_law.grammar import Constant, Fill, Normal
from initium_server.planning.inventory import Inventory, InventoryTensor, Owner


def owner(name: str, *classes: str, block: int | None = None) -> Owner:
    """An owner of these classes; the class path is made up of the first."""
    return Owner(name, (*classes, "Module"), f"torch.nn.modules.fake.{classes[0] if classes else 'Module'}", block)


def tensor(
    name: str,
    shape: tuple[int, ...],
    *classes: str,
    default: Fill | None = Normal(0.0, 1.0),
    aliases: tuple[Owner, ...] = (),
    kind: str = "parameter",
    dtype: str = "F32",
    roles: tuple[str, ...] = (),
    block: int | None = None,
) -> InventoryTensor:
    """A tensor with one main owner."""
    owners = (owner(name, *classes, block=block), *aliases)
    return InventoryTensor(owners, shape, dtype, kind, kind == "parameter", default, "", roles)


CONVNET = Inventory(
    (
        tensor("conv1.weight", (8, 3, 3, 3), "Conv2d", "_ConvNd", roles=("parameter", "weight", "conv")),
        tensor("conv1.bias", (8,), "Conv2d", "_ConvNd", roles=("parameter", "bias", "conv")),
        tensor("bn1.weight", (8,), "BatchNorm2d", "_BatchNorm", "_NormBase", default=Constant(1.0)),
        tensor("bn1.bias", (8,), "BatchNorm2d", "_BatchNorm", "_NormBase", default=Constant(0.0)),
        tensor("layers.0.fc.weight", (8, 8), "Linear", block=0),
        tensor("layers.1.fc.weight", (8, 8), "Linear", block=1),
        tensor("head.weight", (10, 8), "Linear", roles=("parameter", "weight", "head")),
        tensor("bn1.running_mean", (8,), "BatchNorm2d", kind="buffer", default=Constant(0.0), roles=("buffer",)),
        tensor("bn1.num_batches_tracked", (), "BatchNorm2d", kind="buffer", dtype="I64", default=Constant(0.0)),
    )
)
