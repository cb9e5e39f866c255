"""From what a request names to a plan that can be read: resolved, checked, and kept for the next request."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from initium.contract.generators import TORCH
from initium.errors import InitiumError, LimitExceeded, PlanNotFound, RecipeError, RequestError, Violation, invalid
from initium.plan.check import check_plan
from initium.plan.checkpoint import Checkpoint, VirtualCheckpoint
from initium.plan.layout import Layout
from initium.plan.limits import Limits
from initium.plan.packed import PackedPlan
from initium.v1 import architecture_pb2, plan_pb2, recipe_pb2, service_pb2
from initium_law import Engine
from initium_server import sources
from initium_server.planning import with_seed
from initium_server.rpc.stored import StoredCheckpoint
from initium_server.workers import Pool, jobs

DIGEST_BYTES = 32
_LINE = re.compile(r"line (\d+):(\d+)")
LARGE_BYTES = 8 << 20
"""Plans beyond this are checked one after another: as messages they take several times their bytes."""
MAX_RECIPES = 1024
"""Recipes whose plans are remembered, as long as those are held."""
INVENTORIES = 4
"""Inventories that are kept for their next pages."""


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, and whether anybody still waits for the answer."""

    caller: str
    """Plans are held for each caller apart. Empty: nobody in particular."""
    cancelled: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Held:
    """A checked plan, and its checkpoint under `stream-v1` (None under `torch`)."""

    packed: PackedPlan
    generator: str
    seed: int
    plan_digest: str
    weights_key: str
    files: Sequence[plan_pb2.PlannedFile]
    checkpoint: VirtualCheckpoint | None

    @property
    def total_bytes(self) -> int:
        """Sum of the sizes of all files."""
        return sum(file.size for file in self.files)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return (self.checkpoint or self.packed).nbytes


class Plans:
    """Resolves and checks plans, and keeps the latest ones within `held_bytes`."""

    def __init__(
        self,
        pool: Pool,
        torch_pool: Pool,
        limits: Limits,
        engine: Engine,
        device: str,
        held_bytes: int,
        stores: Mapping[str, str],
    ) -> None:
        """`stores`: what recipes may load from; `engine` reads the same."""
        self._pool, self._torch_pool = pool, torch_pool
        self._limits, self._engine, self._device, self._stores = limits, engine, device, stores
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()
        self._by_key: dict[tuple[str, str], str] = {}
        self._recipes: OrderedDict[tuple[str, bytes], str] = OrderedDict()
        self._inventories: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._lock, self._large = threading.Lock(), threading.Lock()
        self._room = held_bytes
        self._capabilities = b""

    def get(self, source: service_pb2.PlanSource, call: Call) -> Held:
        """The plan that `source` names. Errors: InitiumError, with paths relative to the request."""
        kind = source.WhichOneof("source")
        if kind in ("plan_digest", "weights_key"):
            return self._named(kind, getattr(source, kind), call)
        if kind == "plan":
            with _under("source.plan"):
                return self.take(source.plan, call)
        if kind:
            with _under(f"source.{kind}"):
                return self._resolve(self._recipe(source, call), call)
        raise invalid("source", f"name a plan: give one of {', '.join(_KINDS)}", RequestError)

    def take(self, plan: plan_pb2.Plan, call: Call) -> Held:
        """A plan from outside, checked, completed and held. Errors: InitiumError."""
        with self._large if plan.ByteSize() > LARGE_BYTES else nullcontext():
            return self._hold(plan, call, check_plan(plan, self._limits))

    def tensors(self, request: service_pb2.ListTensorsRequest, call: Call) -> Sequence[service_pb2.InventoryTensor]:
        """The tensors of a recipe's architecture, before any rule."""
        kind = request.WhichOneof("source")
        if kind is None:
            raise invalid("source", _NO_RECIPE, RequestError)
        with _under(kind):
            architecture = self._recipe(request, call).architecture
            data = architecture.SerializeToString(deterministic=True)
            key = call.caller, hashlib.sha256(data).digest()
            with self._lock:
                found = self._inventories.get(key)
            if found is None:
                job = partial(jobs.inventory, self._limits)
                found = self._pool.run(job, data, call.cancelled, sources.needs_of(architecture))
        with self._lock:
            self._inventories[key] = found
            self._inventories.move_to_end(key)
            while len(self._inventories) > INVENTORIES:
                self._inventories.popitem(last=False)
        return service_pb2.ListTensorsResponse.FromString(found).tensors

    def explain(self, request: service_pb2.ExplainRequest, call: Call) -> bytes:
        """A serialized ExplainResponse: why a tensor of a recipe gets its values."""
        kind = request.WhichOneof("source")
        if kind is None:
            raise invalid("source", _NO_RECIPE, RequestError)
        with _under(kind):
            recipe = self._recipe(request, call)
            job = partial(jobs.explain, self._limits, request.tensor, self._stores)
            return self._pool.run(job, recipe.SerializeToString(), call.cancelled, jobs.needs(recipe))

    def models(self, source: str, call: Call) -> service_pb2.ListModelsResponse:
        """The models of a library."""
        needs = sources.needs_of(architecture_pb2.Architecture(library={"source": source}))
        return service_pb2.ListModelsResponse.FromString(
            self._pool.run(jobs.models, source.encode(), call.cancelled, needs)
        )

    def capabilities(self, cancelled: Callable[[], bool]) -> service_pb2.GetCapabilitiesResponse:
        """What torch says of this server. Asked once: it does not change."""
        if not self._capabilities:
            job = partial(jobs.capabilities, self._device, self._engine.threads)
            self._capabilities = self._pool.run(job, b"", cancelled, jobs.CAPABILITIES_NEED)
        return service_pb2.GetCapabilitiesResponse.FromString(self._capabilities)

    def _recipe(
        self, source: service_pb2.PlanSource | service_pb2.ListTensorsRequest | service_pb2.ExplainRequest, call: Call
    ) -> recipe_pb2.Recipe:
        """Text is read in a worker: how long that takes is up to who wrote it. Errors: InitiumError."""
        if not source.HasField("recipe_text"):
            return source.recipe
        try:
            return recipe_pb2.Recipe.FromString(self._pool.run(jobs.read, source.recipe_text, call.cancelled))
        except RecipeError as error:
            raise _without_lines(error) from None

    def _named(self, kind: str, digest: bytes, call: Call) -> Held:
        if len(digest) != DIGEST_BYTES:
            raise invalid(f"source.{kind}", f"has {len(digest)} bytes; a digest has {DIGEST_BYTES}", RequestError)
        text = digest.hex()
        with self._lock:
            held = self._find(call.caller, self._by_key.get((call.caller, text), "") if kind == "weights_key" else text)
        if held:
            return held
        raise PlanNotFound(f"this server does not hold the plan with {kind} {text}; send the plan")

    def _find(self, caller: str, digest: str) -> Held | None:
        """The plan of that digest, if it is held; it is then the last one to be dropped. Under the lock."""
        held = self._held.get((caller, digest))
        if held:
            self._held.move_to_end((caller, digest))
        return held

    def _resolve(self, recipe: recipe_pb2.Recipe, call: Call) -> Held:
        """A recipe resolves to one plan on one server, whatever its seed, so a sweep over seeds builds once.

        Not so one that loads from a store.
        """
        seedless = recipe_pb2.Recipe()
        seedless.CopyFrom(recipe)
        seedless.ClearField("seed")
        key = call.caller, hashlib.sha256(seedless.SerializeToString(deterministic=True)).digest()
        with self._lock:
            known = self._find(call.caller, self._recipes.get(key, ""))
        if known and recipe.HasField("seed"):
            same = known.seed == recipe.seed
            return known if same else self._hold(with_seed(known.packed.plan(), recipe.seed), call)
        data, needs = recipe.SerializeToString(), jobs.needs(recipe)
        if not self._pool.has(needs):  # A mistake in the recipe itself need not wait seconds for libraries.
            self._pool.run(jobs.check, data, call.cancelled)
        job = partial(jobs.resolve, self._limits, self._device, self._engine.threads, self._stores)
        plan = plan_pb2.Plan.FromString(self._pool.run(job, data, call.cancelled, needs))
        held = self._hold(plan, call)
        if plan.loads:  # What lies in a store may be another the next time.
            return held
        with self._lock:
            self._recipes[key] = held.plan_digest
            while len(self._recipes) > MAX_RECIPES:
                self._recipes.popitem(last=False)
        return held

    def _hold(self, plan: plan_pb2.Plan, call: Call, layout: Layout | None = None) -> Held:
        size, most = plan.ByteSize(), self._limits.plan_bytes
        if size > most:
            raise LimitExceeded.of(f"the plan has {size:,} bytes", "plan_bytes", most, "make the model smaller")
        name = call.caller, plan.plan_digest
        with self._lock:
            if known := self._find(*name):
                return known
        checkpoint = None if plan.generator == TORCH else VirtualCheckpoint(plan, self._engine, layout)
        packed = checkpoint.packed if checkpoint else PackedPlan(plan)
        held = Held(packed, plan.generator, plan.seed, plan.plan_digest, plan.weights_key, list(plan.files), checkpoint)
        with self._lock:
            self._held[name] = held
            self._by_key[call.caller, plan.weights_key] = plan.plan_digest
            while len(self._held) > 1 and sum(each.nbytes for each in self._held.values()) > self._room:
                (caller, digest), dropped = self._held.popitem(last=False)
                if self._by_key.get((caller, dropped.weights_key)) == digest:
                    del self._by_key[caller, dropped.weights_key]
        return held

    def run_torch(self, held: Held, directory: str, call: Call) -> Checkpoint:
        """Runs a plan of generator `torch` into `directory`, and gives the files it made."""
        job = partial(jobs.run_torch, self._limits, directory, self._device, self._engine.threads)
        self._torch_pool.run(job, held.packed.data, call.cancelled, jobs.needs(held.packed.plan().recipe))
        return StoredCheckpoint(held.files, Path(directory))


_NO_RECIPE = "give a recipe, or its text"
_KINDS = [field.name for field in service_pb2.PlanSource.DESCRIPTOR.oneofs_by_name["source"].fields]


@contextmanager
def _under(path: str) -> Iterator[None]:
    """Places what is wrong with a part of a request; what is wrong with the request itself has its place."""
    try:
        yield
    except RequestError:
        raise
    except InitiumError as error:
        raise error.under(path) from None


def _without_lines(error: RecipeError) -> RecipeError:
    """Lines and columns of a text are no fields: they go into what is said of it, and into the metadata."""
    found, metadata = [], dict(error.metadata)
    for each in error.violations or [Violation("", error.message)]:
        if line := _LINE.fullmatch(each.field):
            metadata |= {"line": line[1], "column": line[2]}
            each = Violation("", str(each))
        found.append(each)
    return RecipeError(error.message, error.reason, found, metadata)
