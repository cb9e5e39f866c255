"""Leaf and file digests, as `initium/v1/manifest.proto` defines them."""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3

LEAF = 1 << 20
"""Bytes of a leaf."""


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
