"""`python -m tests.prove.gpu FILE`: the law on this machine's first GPU, proved and measured in under nine minutes.

It prints a table and writes the same as Markdown to FILE. By every backend: all 2^32 words through every map, against
the digests in RECORD.md; every vector that is drawn. By the one that `--device cuda` takes: values a second, the share
of the bandwidth that a fill has, copies to the host, two streams at once, and memory that runs out in the middle. The
exit status is 1 if a byte differed, a target was missed or time ran out, and 2 where there is no GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import logging
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from blake3 import blake3

import initium_law as law
from initium.files import replace_file
from initium_law.backends import backend_for, numba_kernel, torch_ops
from initium_law.backends.lanes import DeviceFill, Lanes, first_line
from initium_law.dtypes import ITEM_SIZE, Bytes
from initium_law.grammar import Normal, Random, TruncNormal, Uniform
from initium_law.maps.random_fills import Backend, Draw, resolve
from tests.backends import conformance
from tests.law.cases import LITERALS
from tests.law.support import Contents
from tests.law.test_vectors import map_groups, spec
from tests.law.vectors import fill_of, lines

from .maps import CASES, CHUNK, CHUNKS, draw_of

RECORD = Path(__file__).with_name("RECORD.md")
SECONDS = 480.0
"""No part begins later than this, so that all is over within nine minutes."""
EQUAL = "as numba's"
SHARE = 0.6
"""Of the bandwidth of a plain fill: what the F32 normal should reach."""
FILLS: dict[str, Random] = {
    "uniform": Uniform(-0.1, 0.1),
    "normal": Normal(0.0, 0.02),
    "trunc_normal": TruncNormal(0.0, 0.02, -0.04, 0.04),
    "trunc_normal, lopsided": TruncNormal(0.01, 0.02, -0.04, 0.04),
    "trunc_normal, far": TruncNormal(0.0, 1.0, 5.0, 6.0),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    figure: str
    good: bool = True


@dataclass(frozen=True, slots=True)
class Device:
    """Where to draw, and by what. `cpu` serves tests."""

    name: str
    fill: DeviceFill
    map_words: conformance.MapWords

    @property
    def module(self) -> Any:
        """torch.cuda; None for the CPU."""
        return None if self.name == "cpu" else torch.get_device_module(self.name)

    def synchronize(self) -> None:
        """Waits for all that was launched."""
        if self.module:
            self.module.synchronize(self.name)

    def seconds(self, work: Callable[[], object], rounds: int = 5) -> float:
        """The median of some runs, after one that counts for nothing."""
        taken = []
        for _ in range(rounds + 1):
            self.synchronize()
            start = time.perf_counter()
            work()
            self.synchronize()
            taken.append(time.perf_counter() - start)
        return statistics.median(taken[1:])


def device_of(name: str, backend: str) -> Device:
    """A device by the name of its backend, `torch` or `triton`."""
    if backend == "torch":
        return Device(name, torch_ops.fill, torch_ops.map_words)
    from initium_law.backends import triton_kernels

    return Device(name, triton_kernels.fill, triton_kernels.map_words)


def recorded_digests() -> dict[str, str]:
    """The digest of all 2^32 values of each map, from the record of the sweep on CPUs."""
    return dict(re.findall(r"^\| ([^|]+) \| `([0-9a-f]{64})` \|", RECORD.read_text(encoding="utf-8"), re.MULTILINE))


def digest(device: Device, case: str, chunk: int = CHUNK, chunks: int = CHUNKS) -> str:
    """The sweep's digest of a case (see RECORD.md) from the first `chunks` chunks of words on the device."""
    draw = draw_of(case)

    def piece(k: int) -> bytes:
        wide = torch.arange(k * chunk, (k + 1) * chunk, dtype=torch.int64, device=device.name) ^ (1 << 31)
        made = torch.empty(4 * chunk, dtype=torch.uint8, device=device.name)
        device.map_words(draw, wide.view(torch.int32)[::2].contiguous(), made)
        return blake3(made.cpu().numpy()).digest()

    # The threads are for copies and digests: the kernels share a stream.
    with ThreadPoolExecutor(1 if device.name == "cpu" else 8) as pool:
        return blake3(b"".join(pool.map(piece, range(chunks)))).hexdigest()


def sweep(device: Device, backend: str, case: str) -> Iterator[Row]:
    """All 2^32 words through a map."""
    start = time.monotonic()
    good = digest(device, case) == recorded_digests()[case]
    equal = "as recorded" if good else "ANOTHER DIGEST"
    yield Row(f"{backend}: all words, {case}", f"{equal} ({time.monotonic() - start:.0f} s)", good)


def vectors(device: Device, backend: str) -> Iterator[Row]:
    """Every vector that something is drawn for, and the ranges and words of tests/backends."""
    engine = law.Engine(backend=Lanes([device.name], device.fill).draw, stores=Contents(LITERALS))
    for name in ("tensors.txt", "digests.txt"):
        given = lines(name)
        wrong = [line for line in given if not _holds(line, engine, hashed=name == "digests.txt")]
        yield Row(f"{backend}: {name}", f"{len(given) - len(wrong)} of {len(given)}", not wrong)
    groups = map_groups()
    wrong_groups = [key for key, pairs in groups.items() if not _maps(device, key, pairs)]
    yield Row(f"{backend}: maps.txt", f"{len(groups) - len(wrong_groups)} of {len(groups)} maps", not wrong_groups)
    checks: dict[str, Callable[[], None]] = {
        "ranges": lambda: conformance.check_draws(device.fill, device=device.name),
        "boundary words": lambda: conformance.check_words(device.map_words, device=device.name),
    }
    for what, check in checks.items():
        try:
            check()
            yield Row(f"{backend}: {what} in every dtype", EQUAL)
        except AssertionError as error:
            yield Row(f"{backend}: {what} in every dtype", str(error), False)


def _holds(line: list[str], engine: law.Engine, hashed: bool) -> bool:
    fill, seed, name, shape, dtype = spec(line)
    drawer = law.prepare(fill, seed, name, shape, dtype, LITERALS, engine)
    out = np.empty(drawer.elements * drawer.item_size, np.uint8)
    drawer.draw(0, out)
    return line[5] == (hashlib.sha256(out).hexdigest() if hashed else out.tobytes().hex())


def _maps(device: Device, key: tuple[str, str], pairs: list[tuple[int, int]]) -> bool:
    """Canonical values: the map and the bounds of the dtype, written as F32."""
    draw = resolve(fill_of(key[0]), np.zeros(4, np.uint32), key[1])  # type: ignore[arg-type] # only random fills here
    assert isinstance(draw, Draw)
    single = Draw(draw.kind, draw.identity, draw.params, draw.threshold, draw_of("normal").code)
    given, expected = (np.array(column, np.uint32) for column in zip(*pairs, strict=True))
    made = torch.empty(4 * len(given), dtype=torch.uint8, device=device.name)
    device.map_words(single, torch.from_numpy(given.view(np.int32)).to(device.name), made)
    return bool((made.cpu().numpy().view(np.uint32) == expected).all())


def drawn(name: str, dtype: str) -> Draw:
    """A fill of FILLS."""
    made = resolve(FILLS[name], conformance.IDENTITY, dtype)
    assert isinstance(made, Draw)
    return made


def rates(device: Device, size: int = 1 << 30) -> Iterator[Row]:
    """Kernels alone: values a second, and bytes a second as a share of what a plain fill writes."""
    out = torch.empty(size, dtype=torch.uint8, device=device.name)
    plain = size / device.seconds(lambda: out.fill_(7))
    yield Row("a plain fill", f"{plain / 1e9:,.0f} GB/s")
    for name in FILLS:
        for dtype in ("F32", "BF16"):
            draw = drawn(name, dtype)
            written = size / device.seconds(lambda: device.fill(draw, 0, out))  # noqa: B023 # called at once
            share, target = written / plain, SHARE if (name, dtype) == ("normal", "F32") else 0.0
            figure = f"{written / ITEM_SIZE[dtype] / 1e9:,.1f} G values/s, {share:.0%} of a plain fill"
            yield Row(f"{name} {dtype}", figure + (f" (target {target:.0%})" if target else ""), share >= target)


def copies(device: Device, backend: Backend, size: int = 1 << 30, threads: int = 8) -> Iterator[Row]:
    """To the host: a bare copy into pinned memory, one stream through the lanes, and two at once."""
    part = min(size, 64 << 20)
    source = torch.empty(part, dtype=torch.uint8, device=device.name)
    host = torch.empty(part, dtype=torch.uint8, pin_memory=device.module is not None)
    bare = device.seconds(lambda: host.copy_(source, non_blocking=True))
    yield Row("a bare copy into pinned memory", f"{part / bare / 1e9:.1f} GB/s")
    first, second = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    streams = [Stream(drawn("normal", "F32"), 4, first), Stream(drawn("trunc_normal", "BF16"), 2, second)]
    with ThreadPoolExecutor(threads) as pool:
        for what, count in (("one stream to the host", 1), ("two streams at once", 2)):
            taken = device.seconds(lambda: draw_all(pool, backend, streams[:count]), rounds=3)  # noqa: B023 # called at once
            yield Row(what, f"{count * size / taken / 1e9:.1f} GB/s")
        wanted = [Stream(stream.draw, stream.size, np.zeros(size, np.uint8)) for stream in streams]
        draw_all(pool, numba_kernel.draw, wanted)
    equal = all(np.array_equal(want.out, made.out) for want, made in zip(wanted, streams, strict=True))
    yield Row("bytes of two streams at once", EQUAL if equal else "DIFFERENT BYTES", equal)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A tensor to draw from its first element on."""

    draw: Draw
    size: int
    """Bytes of an element."""
    out: Bytes


def draw_all(pool: ThreadPoolExecutor, backend: Backend, streams: Sequence[Stream]) -> None:
    """Streams of one length, a leaf of 1 MiB from each in turn, as a server draws them."""
    leaf = 1 << 20
    pieces = [(stream, low) for low in range(0, len(streams[0].out), leaf) for stream in streams]
    list(pool.map(lambda p: backend(p[0].draw, p[1] // p[0].size, p[0].out[p[1] : p[1] + leaf]), pieces))


@contextlib.contextmanager
def exhausted(device: Device) -> Iterator[None]:
    """The device without memory for a lane's buffer, as another process may leave it."""
    held = []
    for size in (*(1 << k for k in range(34, 20, -1)), (1 << 20) + 1):
        with contextlib.suppress(torch.OutOfMemoryError):
            while True:
                held.append(torch.empty(size, dtype=torch.uint8, device=device.name))
    yield
    held.clear()
    device.module.empty_cache()


def memory(device: Device, full: Callable[[], contextlib.AbstractContextManager[None]]) -> Iterator[Row]:
    """Memory runs out when the first of two lanes has its buffers: the CPU makes what the second would."""
    lanes, draw, piece = Lanes([device.name], device.fill, lanes=2, piece=1 << 20), drawn("normal", "F32"), 1 << 20
    want, got, warned = np.zeros(9 * piece, np.uint8), np.zeros(9 * piece, np.uint8), list[str]()
    numba_kernel.draw(draw, 3, want)
    handler = logging.Handler()
    handler.emit = lambda record: warned.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("initium_law.backends.lanes")
    logger.addHandler(handler)
    try:
        lanes.draw(draw, 3, got[:piece])
        with full():
            lanes.draw(draw, 3 + piece // 4, got[piece : 5 * piece])
        lanes.draw(draw, 3 + 5 * piece // 4, got[5 * piece :])
    finally:
        logger.removeHandler(handler)
    equal, said = np.array_equal(want, got), len(warned) == 1
    figure = f"{EQUAL if equal else 'DIFFERENT BYTES'}, {len(warned)} of 1 warning"
    yield Row("memory runs out in the middle", figure, equal and said)


Part = Callable[[], Iterator[Row]]


def parts(name: str) -> dict[str, Part]:
    """All that is done, the backend that serves first: what `auto` takes."""
    serving, backend = backend_for(name)
    devices = {each: device_of(name, each) for each in (serving, "torch")}
    device = devices[serving]
    given: dict[str, Part] = {
        "backend": lambda: iter([Row("what `--device cuda` draws with", serving, serving == "triton")]),
        "rates": lambda: rates(device),
        "copies": lambda: copies(device, backend),
        "memory": lambda: memory(device, lambda: exhausted(device)),
    }
    for each in devices:
        given[f"{each}: vectors"] = functools.partial(vectors, devices[each], each)
        for case in CASES:
            given[f"{each}: all words, {case}"] = functools.partial(sweep, devices[each], each, case)
    return given


def worked_off(given: Mapping[str, Part], seconds: float) -> Iterator[Row]:
    """The rows of all parts; one that fails is a row, and one that would begin later is left out."""
    start = time.monotonic()
    for what, part in given.items():
        if time.monotonic() - start > seconds:
            yield Row(what, "LEFT OUT: no time", False)
            continue
        try:
            yield from part()
        except Exception as error:
            yield Row(what, f"FAILED: {type(error).__name__}: {first_line(error)}", False)


def text_of(rows: Sequence[Row], head: str) -> str:
    """As Markdown."""
    body = [f"| {row.what} | {row.figure} | {'ok' if row.good else '**MISSED**'} |" for row in rows]
    return "\n".join(["# The law on a GPU", "", head, "", "| what | measured | |", "|---|---|---|", *body, ""])


def main(argv: Sequence[str] | None = None) -> int:
    """0: all held."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove.gpu", description=__doc__)
    parser.add_argument("file", type=Path, help="where the figures go, as Markdown")
    args = parser.parse_args(argv)
    if not torch.cuda.is_available():
        print("THERE IS NO GPU THAT TORCH SEES HERE, SO NOTHING WAS PROVED ON ONE", file=sys.stderr)
        return 2
    start, rows = time.monotonic(), list[Row]()
    try:
        given = parts("cuda:0")
    except OSError as error:
        print(f"THIS GPU CANNOT DRAW: {error}", file=sys.stderr)
        return 1
    for row in worked_off(given, SECONDS):
        print(f"{'ok  ' if row.good else 'MISS'} {row.what:<44} {row.figure}", flush=True)
        rows.append(row)
    gpu = torch.cuda.get_device_properties(0)
    machine = f"{gpu.name}, {gpu.total_memory >> 30} GiB; torch {torch.__version__}"
    head = f"{machine}; {time.strftime('%Y-%m-%d')}; {time.monotonic() - start:.0f} s."
    args.file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(args.file, text_of(rows, head).encode())
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
