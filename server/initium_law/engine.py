"""What draws: the backend of random fills, and the room for fills that need their whole tensor."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

from initium_law.backends import numba_kernel
from initium_law.dtypes import Bytes, Singles
from initium_law.grammar import Stored
from initium_law.maps.random_fills import Backend


class Cache:
    """Whole tensors by identity, the least recently used ones dropped beyond a number of bytes.

    A tensor that several threads want at once is made by one of them while the others wait. One that is larger than
    the cache is made for each reader.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held: OrderedDict[Hashable, Singles] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], Singles]) -> Singles:
        """The tensor of `key`, made by `make` if it is not here; nobody may write to it."""
        with self._lock:
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._held:
                    self._held.move_to_end(key)
                    return self._held[key]
            try:
                made = make()
                self._keep(key, made)
            finally:  # Not before it is kept: who comes between would make it again.
                with self._lock:
                    self._making.pop(key, None)
        return made

    def _keep(self, key: Hashable, made: Singles) -> None:
        with self._lock:
            if _cost(made) <= self._capacity and key not in self._held:
                self._held[key] = made
                self._bytes += _cost(made)
            while self._bytes > self._capacity:
                self._bytes -= _cost(self._held.popitem(last=False)[1])


def _cost(made: Singles) -> int:
    """Bytes of an entry with what the cache itself needs for it."""
    return made.nbytes + 512


Reader = Callable[[int, Bytes], None]
"""Fills a buffer with a stored tensor's bytes from this one on; any number of threads may call one at once."""


class Stores(Protocol):
    """Where stored tensors are found. A library's own errors pass through the law."""

    def reader(self, fill: Stored, /) -> Reader:
        """What reads the source of `fill`: the tensor of its digest, or an error before the first byte."""


class NoStores:
    """Refuses every stored tensor."""

    def reader(self, fill: Stored, /) -> Reader:
        """Errors: ValueError."""
        raise ValueError(f"{fill.store}/{fill.file} is in a store, and none is known here")


@dataclass(frozen=True, slots=True)
class Engine:
    """How this process draws. Never part of a plan, and never seen in a byte."""

    backend: Backend = numba_kernel.draw
    whole_elements: int = 1 << 26
    """Tensors of more elements cannot have fills that need the whole tensor."""
    cache: Cache = field(default_factory=lambda: Cache(1 << 30))
    threads: int = 1
    """How many share the work on one whole tensor."""
    stores: Stores = field(default_factory=NoStores)
    """How stored tensors are read."""


ENGINE = Engine()
"""The default: numba, one thread."""
