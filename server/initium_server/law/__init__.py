"""The law `stream-v1` (`proto/stream-v1.md`): how a fill becomes the bytes of a tensor, any range of them.

    element i of a tensor = rendering(map(word i mod 4 of Philox4x32-10(key, counter i div 4)))

`identity` makes key and counter from law, seed and name; `philox` the words; `uniform`, `normal`, `truncated` and `far`
(with `phi`) the binary32 values; `render` and `dtypes` the bytes. `random_fills` resolves a random fill to a `Draw`,
which a backend works off: `kernel` is numba's. `structured` and `ranges` have the fills without randomness, `pointwise`
with `functions` and `parts` with `boxes` those made of others, `whole` with `orthogonal` those that are made at once
and kept by the `engine`. `place` is where a fill stands, `draw` the way in:

    drawer = prepare(Normal(0.0, 0.02), seed=42, name="fc.weight", shape=(1000, 512), dtype="BF16")
    drawer.draw(start, out)     # out: uint8 for whole elements

Maps use operations that IEEE 754 rounds correctly, each rounded by itself: add, subtract, multiply, divide, square
root, conversions, comparisons, integers. No library functions, no fused multiply-add, no flush-to-zero.
"""

from initium_server.law.draw import MAX_ELEMENTS as MAX_ELEMENTS
from initium_server.law.draw import Drawer as Drawer
from initium_server.law.draw import prepare as prepare
from initium_server.law.draw import warm as warm
from initium_server.law.dtypes import ITEM_SIZE as ITEM_SIZE
from initium_server.law.engine import ENGINE as ENGINE
from initium_server.law.engine import Cache as Cache
from initium_server.law.engine import Engine as Engine
from initium_server.law.identity import LAW as LAW
from initium_server.law.render import RENDERINGS as _RENDERINGS
from initium_server.law.whole import TooLargeError as TooLargeError

RANDOM_DTYPES = tuple(_RENDERINGS)
"""The dtypes that random fills can have."""
