"""`NUMBA_DISABLE_JIT=1 python -m tests.law.mutants`: changes every constant of the law, and expects each to show.

Without the compiler the kernels are plain Python, which reads module constants when it runs, so a changed one counts
at once. Floats move by a thousandth, whole numbers by some bits. A constant that no vector notices is a gap in them.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numba
import numpy as np

import initium_law
from initium_law import ENGINE, prepare
from initium_law.maps.identity import identity
from initium_law.maps.render import RENDERINGS

from .cases import LITERALS
from .test_vectors import double, lines, map_groups, mapped, resolve, spec, whole, words
from .vectors import fill_of

DEVICES = ("devices", "lanes", "self_check", "torch_ops", "triton_kernels")
"""Files of backends that vectors do not draw with; they are held against numba's by tests/backends."""

MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(initium_law.__path__, "initium_law.")
    if info.name.rpartition(".")[2] not in DEVICES
]

FREE = {
    "numba_kernel._BLOCK": "how many words are made at a time",
    "numba_kernel.BLOCK": "the same",
    "writer.SLAB": "how many elements are made at a time",
    "place.SLAB": "the same",
    "writer.NEAR": "how far apart elements are drawn together",
    "place.NEAR": "the same",
    "broadcast.NEAR": "the same",
    "draw.MAX_AXES": "a limit; see test_errors",
    "draw.MAX_PARTS": "a limit; see test_errors",
    "draw.MAX_ELEMENTS": "too large for some languages' vectors; see test_errors",
    "orthogonal.SLAB": "how many columns are made at a time",
    "orthogonal._UNROLL": "how many terms are added at a time",
    "philox.BLOCK": "how many words are made at a time",
    "philox.LENGTH": "the same",
    "philox._HALF_BLOCK": "half of it",
    "render.BLOCK": "the same",
    "whole._SLAB": "how many elements are summed at a time",
    "numba_kernel._MIN_NORMAL": "finds flush-to-zero modes",
    "numba_kernel._HALF": "finds flush-to-zero modes",
    "orthogonal.PANEL": "moves sums by less than binary32 shows in a matrix that plain Python can make",
    "functions._SQRT_HALF": "moves a seam that binary32 does not show",
    "functions._HALF_PI_LOW": "below what binary32 shows but for few arguments",
    "phi._SERIES_TERMS": "the last term is far below the sum's last place",
    "random_fills.OUT_OF_REACH": "beyond it the map gives the nearest bound, too",
}
"""Constants that are no part of the law, or too fine for this check, and why."""

NUMBERS = (int, float, np.generic)


def constants() -> Iterator[tuple[ModuleType, str, Any]]:
    """Every number at the top of a module of the law, where it is defined."""
    seen: set[int] = set()
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, NUMBERS) and not isinstance(value, bool) and id(value) not in seen:
                short = module.__name__.rpartition(".")[2]
                if f"{short}.{name}" in FREE or name in RENDERING_CODES:
                    continue
                seen.add(id(value))
                yield module, name, value
    module = importlib.import_module("initium_law.grammar")
    yield module, "LAW", module.LAW


RENDERING_CODES = {"UNIFORM", "NORMAL", "TRUNCATED", "FAR", *RENDERINGS}
"""Names of cases, not numbers."""


def changed(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, float | np.floating):
        return type(value)(value * (1 + 2.0**-10)) if value else type(value)(2.0**-10)
    return type(value)(int(value) ^ (1 if abs(int(value)) < 1 << 20 else 0x80401))


def notices() -> bool:
    """Whether some vector differs from what the law now gives. An exception counts, too."""
    try:
        return any(check() for check in (_bounds, _identities, _maps, _functions, _renderings, _tensors, _refusals))
    except (ArithmeticError, AssertionError, IndexError, TypeError, ValueError):
        return True


def _bounds() -> bool:
    phi = importlib.import_module("initium_law.maps.phi")
    return any(getattr(phi, name)(double(x)) != double(y) for name, x, y in lines("bounds.txt"))


def _identities() -> bool:
    for purpose, seed, name, ident, _ in lines("identity.txt")[::5]:
        if identity(int(seed), name.strip('"'), purpose.replace("-", "")).tolist() != words(ident) and "\\" not in name:
            return True
    return False


def _maps() -> bool:
    for (text, dtype), pairs in map_groups().items():
        draw = resolve(fill_of(text), np.zeros(4, np.uint32), dtype)  # type: ignore[arg-type] # only random fills here
        chosen = [*pairs[::11], *(pair for pair in pairs if (pair[0] + 8) % 2**31 < 16)]
        given, expected = (np.array(column, np.uint32) for column in zip(*chosen, strict=True))
        if mapped(draw, given).tolist() != expected.tolist():  # type: ignore[arg-type] # no constants here
            return True
    return False


def _functions() -> bool:
    functions = importlib.import_module("initium_law.fills.functions")
    for name in ("exp", "log", "expm1", "cos", "sine"):
        pairs = [(int(x, 16), int(y, 16)) for function, x, y in lines("functions.txt") if function == name]
        given, expected = (np.array(column, np.uint32) for column in zip(*pairs, strict=True))
        made = getattr(functions, name)(given.view(np.float32)).view(np.uint32)
        number = (expected & 0x7FFFFFFF) < 0x7F800000
        if (made != expected)[number].any():
            return True
    return False


def _renderings() -> bool:
    render = importlib.import_module("initium_law.maps.render")
    for line in lines("renderings.txt"):
        bits = np.uint32(int(line[0], 16))
        value = abs(float(bits.view(np.float32)))
        for column, (name, top) in {3: ("bf16", 3.38e38), 4: ("f16", 65504.0)}.items():
            if value <= top and int(getattr(render, name)(bits)) != int(line[column], 16):
                return True
        for column, (name, top) in {5: ("f8_e5m2", 57344.0), 6: ("f8_e4m3", 448.0)}.items():
            if value <= top and int(getattr(render, name)(bits)) != int(line[column], 16):
                return True
    return False


def _refusals() -> bool:
    for dtype, shape, fill in lines("refusals.txt"):
        try:
            prepare(fill_of(fill), 0, "x", tuple(map(int, shape.split("x"))), dtype, LITERALS)
        except ValueError:
            continue
        return True
    return False


def _tensors() -> bool:
    ENGINE.cache._held.clear()  # made before the change
    for line in lines("tensors.txt"):
        fill, seed, name, shape, dtype = spec(line)
        if (
            dtype in ("F32", "I64")
            and int(np.prod(shape)) <= 64
            and whole(fill, seed, name, shape, dtype).hex() != line[5]
        ):
            return True
    return False


def main() -> int:
    """Returns 1, with their names, where changes went unnoticed."""
    assert numba.config.DISABLE_JIT
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    assert not notices(), "the law as it is does not give the vectors"
    missed, count = [], 0
    for module, name, value in constants():
        holders = [(m, n) for m in MODULES for n, v in list(vars(m).items()) if v is value and n == name]
        for holder, key in holders:
            setattr(holder, key, changed(value))
        if not notices():
            missed.append(f"{module.__name__}.{name}")
        for holder, key in holders:
            setattr(holder, key, value)
        count += 1
    assert not notices()
    print(f"{count} constants changed, {len(missed)} unnoticed: {missed}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
