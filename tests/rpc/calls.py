"""The service in this process, over a real channel: jobs run where they are called, for bare tensors only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from initium.plan.stores import Stores
from initium.v1 import service_pb2 as pb
from initium.v1.recipe_pb2 import Recipe
from initium.v1.service_pb2_grpc import InitiumServiceStub
from initium_law import Engine
from initium_server.rpc.plans import Plans
from initium_server.rpc.service import Service
from initium_server.rpc.settings import Settings
from initium_server.rpc.stream import Streamer
from initium_server.workers import Pool

RECIPE: dict[str, Any] = {
    "architecture": {
        "tensors": {
            "tensors": [
                {"name": "a", "shape": [700, 401]},
                {"name": "b", "shape": [3]},
                {"name": "c", "shape": [0]},
                {"name": "d", "shape": [300, 1000]},
            ]
        }
    },
    "seed": 1,
    "init": {
        "rules": [
            {"match": {"ndim": [2]}, "normal": {"std": 0.02}},
            {"match": {"ndim": [1]}, "ones": {}},
        ]
    },
}


def recipe(**changes: Any) -> Recipe:
    """RECIPE with other values."""
    return json_format.ParseDict(RECIPE | changes, Recipe())


class InlinePool(Pool):
    """Runs jobs in this process, and counts them by name."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.fail: BaseException | None = None

    def has(self, modules: Iterable[str]) -> bool:
        return True

    def run(
        self,
        job: Any,
        argument: bytes,
        cancelled: Callable[[], bool] = lambda: False,
        modules: Iterable[str] = (),
    ) -> bytes:
        if self.fail is not None:
            raise self.fail
        self.ran[getattr(job, "func", job).__name__] += 1
        result: bytes = job(argument)()
        return result


@dataclass
class Serving:
    """A service, a stub of it, and what it is made of."""

    stub: Any
    pool: InlinePool
    plans: Plans
    service: Service


def make_plans(pool: Pool, settings: Settings, held_bytes: int = 256 << 20) -> Plans:
    """Plans that are resolved by `pool`."""
    stores = Stores(settings.stores)
    engine = Engine(whole_elements=settings.limits.whole_elements, threads=settings.threads, stores=stores)
    return Plans(pool, pool, settings.limits, engine, settings.first_device, held_bytes, settings.stores)


@contextmanager
def serving(directory: Path, settings: Settings | None = None) -> Iterator[Serving]:
    """A service on a socket of its own."""
    chosen = settings or Settings(threads=2)
    pool = InlinePool()
    plans, streamer = make_plans(pool, chosen), Streamer(chosen.threads)
    service = Service(plans, streamer, chosen, "numba")
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((service.handler(),))
    address = f"unix:{directory}/s"
    server.add_insecure_port(address)
    server.start()
    try:
        with grpc.insecure_channel(address) as channel:
            yield Serving(InitiumServiceStub(channel), pool, plans, service)
    finally:
        server.stop(None).wait()
        streamer.close()


def source(given: Recipe | None = None, **fields: Any) -> pb.PlanSource:
    """A recipe as a source, or another one."""
    return pb.PlanSource(**fields) if fields else pb.PlanSource(recipe=given or recipe())


@dataclass(frozen=True)
class Failure:
    """What a client reads from a failed call."""

    code: str
    reason: str
    metadata: dict[str, str]
    fields: list[str]
    retry_seconds: int | None
    message: str


def failure(call: Callable[[], Any]) -> Failure:
    """The status of a call that must fail; a stream is read to its end."""
    try:
        answer = call()
        if isinstance(answer, grpc.Call):
            list(answer)  # type: ignore[call-overload] # a stream of messages
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        for detail in status.details if status else ():
            for message in (info, bad, retry):
                if detail.Is(message.DESCRIPTOR):
                    detail.Unpack(message)
        fields = [violation.field for violation in bad.field_violations]
        seconds = retry.retry_delay.seconds if retry.HasField("retry_delay") else None
        return Failure(error.code().name, info.reason, dict(info.metadata), fields, seconds, error.details() or "")
    raise AssertionError("the call did not fail")
