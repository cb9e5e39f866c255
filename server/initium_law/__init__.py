"""The law `stream-v1` (`proto/stream-v1.md`): how a fill becomes the bytes of a tensor, any range of them.

    element i of a tensor = rendering(map(word i mod 4 of Philox4x32-10(key, counter i div 4)))

`grammar` has the kinds of fills, `dtypes` the table of dtypes, `maps` what one word becomes, `fills` how the other
kinds are made, `backends` what draws where, `engine` how this process draws, and `draw` the way in:

    drawer = prepare(Normal(0.0, 0.02), seed=42, name="fc.weight", shape=(1000, 512), dtype="BF16")
    drawer.draw(start, out)     # out: uint8 for whole elements

Importing the package loads no numba; drawing does.
"""

import importlib
from typing import TYPE_CHECKING, Any

from initium_law.grammar import LAW as LAW

if TYPE_CHECKING:
    from initium_law.draw import MAX_ELEMENTS as MAX_ELEMENTS
    from initium_law.draw import Drawer as Drawer
    from initium_law.draw import TooLargeError as TooLargeError
    from initium_law.draw import prepare as prepare
    from initium_law.draw import warm as warm
    from initium_law.engine import ENGINE as ENGINE
    from initium_law.engine import Cache as Cache
    from initium_law.engine import Engine as Engine


_DRAWING = {
    **dict.fromkeys(("MAX_ELEMENTS", "Drawer", "TooLargeError", "prepare", "warm"), "initium_law.draw"),
    **dict.fromkeys(("ENGINE", "Cache", "Engine"), "initium_law.engine"),
}
"""The names that need numba."""


def __getattr__(name: str) -> Any:
    if name not in _DRAWING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_DRAWING[name]), name)
