"""From what a request names to a plan that can be read: resolved, checked, and kept for the next request."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from initium.contract.generators import TORCH
from initium.errors import LimitExceeded, PlanNotFound, RequestError, invalid
from initium.plan.check import check_plan
from initium.plan.checkpoint import Checkpoint, VirtualCheckpoint
from initium.plan.limits import Limits
from initium.v1 import plan_pb2, recipe_pb2, service_pb2
from initium_law import Engine
from initium_server.planning import with_seed
from initium_server.rpc.stored import StoredCheckpoint
from initium_server.workers import Pool, jobs

Cancelled = Callable[[], bool]

HELD_COST = 12
"""Memory of a held plan with its checkpoint, in multiples of its message (measured)."""
MAX_RECIPES = 1024
"""Recipes whose plans are remembered, as long as those are held."""
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Held:
    """A checked plan, and its checkpoint under `stream-v1` (None under `torch`)."""

    plan: plan_pb2.Plan
    checkpoint: Checkpoint | None
    size: int = field(compare=False)


class Plans:
    """Resolves and checks plans in worker processes, and keeps the latest ones within `cache_bytes`."""

    def __init__(
        self,
        pool: Pool,
        torch_pool: Pool,
        limits: Limits,
        engine: Engine,
        device: str,
        cache_bytes: int = 256 << 20,
    ) -> None:
        self._pool, self._torch_pool = pool, torch_pool
        self._limits, self._engine, self._device = limits, engine, device
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._recipes: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()
        self._room = cache_bytes
        self._capabilities = b""

    def get(self, source: service_pb2.PlanSource, cancelled: Cancelled) -> Held:
        """The plan that `source` names. Errors: InitiumError."""
        kind = source.WhichOneof("source")
        if kind == "plan_digest":
            return self._by_digest(source.plan_digest)
        if kind == "plan":
            check_plan(source.plan, self._limits)
            return self._hold(source.plan)
        if kind:
            return self._resolve(self._recipe(source, cancelled), cancelled)
        raise invalid("source", "name a plan: give a recipe, its text, a plan or a plan_digest", RequestError)

    def _recipe(self, source: service_pb2.PlanSource, cancelled: Cancelled) -> recipe_pb2.Recipe:
        """Text is read in a worker: how long that takes is up to who wrote it. Errors: InitiumError."""
        if not source.HasField("recipe_text"):
            return source.recipe
        return recipe_pb2.Recipe.FromString(self._pool.run(jobs.read, source.recipe_text, cancelled))

    def inventory(self, source: service_pb2.PlanSource, cancelled: Cancelled) -> service_pb2.ResolveResponse:
        """The tensors of a recipe's architecture, before any rule."""
        if source.WhichOneof("source") not in ("recipe", "recipe_text"):
            raise invalid("source", "an inventory needs a recipe", RequestError)
        data = self._recipe(source, cancelled).architecture.SerializeToString()
        return service_pb2.ResolveResponse.FromString(
            self._pool.run(partial(jobs.inventory, self._limits), data, cancelled)
        )

    def capabilities(self, cancelled: Cancelled) -> service_pb2.GetCapabilitiesResponse:
        """What torch says of this server. Asked once: it does not change."""
        if not self._capabilities:
            job = partial(jobs.capabilities, self._device, self._engine.threads)
            self._capabilities = self._pool.run(job, b"", cancelled)
        return service_pb2.GetCapabilitiesResponse.FromString(self._capabilities)

    def _by_digest(self, digest: str) -> Held:
        if not _DIGEST.fullmatch(digest):
            text = f"{digest[:80]!r} is no digest; it is 64 letters of 0-9 and a-f"
            raise invalid("source.plan_digest", text, RequestError)
        if held := self._known(digest):
            return held
        raise PlanNotFound(f"this server does not hold the plan {digest}; send the plan", metadata={"digest": digest})

    def _known(self, digest: str) -> Held | None:
        """The plan of that digest, if it is held; it is then the last one to be dropped."""
        with self._lock:
            held = self._held.get(digest)
            if held:
                self._held.move_to_end(digest)
            return held

    def _resolve(self, recipe: recipe_pb2.Recipe, cancelled: Cancelled) -> Held:
        """A recipe resolves to one plan on one server, whatever its seed, so a sweep over seeds builds once."""
        seedless = recipe_pb2.Recipe()
        seedless.CopyFrom(recipe)
        seedless.ClearField("seed")
        key = hashlib.sha256(seedless.SerializeToString(deterministic=True)).digest()
        with self._lock:
            digest = self._recipes.get(key, "")
        known = self._known(digest)
        if known and recipe.HasField("seed"):
            return self._hold(with_seed(known.plan, recipe.seed))
        job = partial(jobs.resolve, self._limits, self._device, self._engine.threads)
        answer = self._pool.run(job, recipe.SerializeToString(), cancelled)
        held = self._hold(plan_pb2.Plan.FromString(answer))
        with self._lock:
            self._recipes[key] = held.plan.plan_digest
            while len(self._recipes) > MAX_RECIPES:
                self._recipes.popitem(last=False)
        return held

    def _hold(self, plan: plan_pb2.Plan) -> Held:
        size = plan.ByteSize()
        if size > self._limits.message_bytes - 4096:
            raise LimitExceeded(f"the plan has {size:,} bytes; messages carry at most {self._limits.message_bytes:,}")
        if known := self._known(plan.plan_digest):
            return known
        checkpoint = None if plan.generator == TORCH else VirtualCheckpoint(plan, self._engine)
        held = Held(plan, checkpoint, size * HELD_COST)
        with self._lock:
            self._held[plan.plan_digest] = held
            while len(self._held) > 1 and sum(held.size for held in self._held.values()) > self._room:
                self._held.popitem(last=False)
        return held

    def run_torch(self, plan: plan_pb2.Plan, directory: str, cancelled: Cancelled) -> Checkpoint:
        """Runs a plan of generator `torch` into `directory`, and gives the files it made."""
        job = partial(jobs.run_torch, self._limits, directory, self._device, self._engine.threads)
        self._torch_pool.run(job, plan.SerializeToString(), cancelled)
        return StoredCheckpoint(plan, Path(directory))
