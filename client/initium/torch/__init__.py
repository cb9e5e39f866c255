"""A model of one's own, as data that any server takes. It needs the server's extra, torch with it, where the code is.

>>> import initium.torch
>>> client.generate({"architecture": initium.torch.capture(GPT, layers=12), "seed": 42}, "gpt/")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from initium.contract.wording import counted
from initium.errors import LimitExceeded, RecipeError, ServerMissing, Violation
from initium.plan.limits import MESSAGE_BYTES
from initium.v1.architecture_pb2 import Architecture

if TYPE_CHECKING:
    from initium_server.planning import Inventory

__all__ = ["capture"]

_CANNOT = "the model cannot be captured"
_INEXPRESSIBLE = (
    f"{_CANNOT}: no fill expresses {{}}. Have the constructor fill them with torch.nn.init or with torch's "
    "random functions; or capture a function that builds the model and then fills them, e.g. with zeros, and write "
    "a rule for them in the recipe"
)
_TWO_WAYS = "built twice, it was filled in two ways; draw with torch alone, not with random or numpy.random"
_LAZY = f"{_CANNOT}: a lazy module has no shapes before it sees data; use the class without Lazy, and give its sizes"


def capture(constructor: Callable[..., Any], *args: Any, **kwargs: Any) -> Architecture:
    """The architecture of the model that `constructor(*args, **kwargs)` makes, of kind `captured`.

    The constructor runs here, twice, on tensors without memory: a model of any size takes none and draws nothing. Every
    tensor must be filled by operations that a fill expresses.
    Errors: whatever the constructor raises; RecipeError that names every tensor which cannot be expressed, and why;
    Unsupported for a dtype that safetensors does not have; LimitExceeded; ServerMissing without torch.
    """
    inventory, again = (_inventory(lambda: constructor(*args, **kwargs)) for _ in range(2))
    violations = list(_inexpressible(inventory))
    if violations:
        raise RecipeError(_INEXPRESSIBLE.format(counted(len(violations), "tensor")), violations=violations)
    if inventory != again:
        raise RecipeError(_CANNOT, violations=list(_differences(inventory, again)))
    return _architecture(inventory)


def _inventory(construct: Callable[[], Any]) -> Inventory:
    try:
        from torch import nn

        from initium_server.capture import capture as run
        from initium_server.capture import describe
    except ModuleNotFoundError as error:
        what = f"capturing a model needs {error.name}, which is not installed here"
        raise ServerMissing(f"{what}; install initium with its extra `server`") from error
    try:
        captured = run(construct)
    except RuntimeError as error:
        if "UninitializedParameter" in str(error):
            raise RecipeError(_LAZY) from error
        raise
    if not isinstance(captured.model, nn.Module):
        raise RecipeError(f"the constructor made a {type(captured.model).__name__}; it must make a torch.nn.Module")
    inventory = describe(captured)
    if not inventory.tensors:
        raise RecipeError("the model has no parameters and no buffers, so it needs no checkpoint")
    return inventory


def _inexpressible(inventory: Inventory) -> Iterator[Violation]:
    return (Violation(tensor.name, tensor.default_error) for tensor in inventory.tensors if tensor.default is None)


def _differences(inventory: Inventory, again: Inventory) -> Iterator[Violation]:
    """The tensors that two builds do not have in common."""
    others = {tensor.name: tensor for tensor in again.tensors}
    different = [tensor.name for tensor in inventory.tensors if tensor != others.pop(tensor.name, None)]
    return (Violation(name, _TWO_WAYS) for name in (*different, *others))


def _architecture(inventory: Inventory) -> Architecture:
    from initium_server.sources.captured import encode

    architecture = Architecture(captured=encode(inventory))
    if (size := architecture.ByteSize()) > MESSAGE_BYTES:
        remedy = "compute large buffers from fewer numbers, or make the model smaller"
        raise LimitExceeded.of(f"the captured model takes {size:,} bytes", "message_bytes", MESSAGE_BYTES, remedy)
    return architecture
