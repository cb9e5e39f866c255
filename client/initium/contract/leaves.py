"""Leaves of 1 MiB, in which files are hashed and sent, and their digests, as `manifest.proto` defines them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from blake3 import blake3

LEAF = 1 << 20
"""Bytes of a leaf."""

DIGEST_FUNCTION = "BLAKE3"
"""What leaves and files are hashed with."""

Place = tuple[int, int]
"""Index of a file and a byte offset in it."""


class Span(NamedTuple):
    """A piece of a file: `size` bytes of file number `file` from `offset`."""

    file: int
    offset: int
    size: int


class Leaf(NamedTuple):
    """A span with its bytes."""

    file: int
    """Index into the plan's files."""
    offset: int
    """First byte."""
    digest: bytes
    """BLAKE3 of `data`; from a server only what it states, until it is checked."""
    data: memoryview
    """The bytes; keeps a received message alive."""


def spans(file: int, begin: int, end: int) -> Iterator[Span]:
    """The pieces of [begin, end) of a file, cut at aligned leaves."""
    while begin < end:
        stop = min(end, begin - begin % LEAF + LEAF)
        yield Span(file, begin, stop - begin)
        begin = stop


def all_spans(sizes: Sequence[int], start: Place = (0, 0)) -> Iterator[Span]:
    """The pieces of all files in order, from a place on."""
    first, offset = start
    for file in range(first, len(sizes)):
        yield from spans(file, offset if file == first else 0, sizes[file])


def leaf_digest(data: bytes | memoryview) -> bytes:
    """BLAKE3 of one leaf, 32 bytes. Releases the GIL for whole leaves."""
    return blake3(data).digest()


def file_digest(size: int, leaves: Iterable[bytes]) -> str:
    """Lower-case hex digest of a file of `size` bytes from its leaf digests in order."""
    root = file_root(size)
    for leaf in leaves:
        root.update(leaf)
    return root.hexdigest()


def file_root(size: int) -> blake3:
    """The hash of a file of `size` bytes before its leaves, to be updated with their digests in order."""
    return blake3(size.to_bytes(8, "little"))


def leaf_count(size: int) -> int:
    """Number of leaves of a file of `size` bytes."""
    return -(-size // LEAF)
