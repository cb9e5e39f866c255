"""The gRPC server: the service, health and reflection on one port, started and stopped gracefully."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from initium.plan.limits import Limits
from initium.plan.stores import Stores
from initium_law import Cache, Engine, warm
from initium_law.backends import backend_for
from initium_server.rpc.plans import Plans
from initium_server.rpc.service import SERVICE, Service
from initium_server.rpc.settings import Settings
from initium_server.rpc.stream import Streamer
from initium_server.workers import Pool, Zygote

REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
SPARE_THREADS = 16
"""Threads beyond those that streams may hold, so that health checks and short calls are always answered."""

WARM_AFTER = 1.0
"""Seconds after which a server that does not begin warm loads its kernels: a plan may be all that it is asked for."""


class Calls(ThreadPoolExecutor):
    """The threads of running calls, of which each has one from beginning to end."""

    def __init__(self, threads: int, name: str) -> None:
        super().__init__(threads, name)
        self._counting = threading.Lock()
        self._running, self._last = 0, time.monotonic()

    def submit(self, *call: Any, **options: Any) -> Future[Any]:
        self._count(1)
        future = super().submit(*call, **options)
        future.add_done_callback(lambda _: self._count(-1))
        return future

    def _count(self, change: int) -> None:
        with self._counting:
            self._running += change
            self._last = time.monotonic()

    def idle_seconds(self) -> float:
        """How long none has been running."""
        with self._counting:
            return 0.0 if self._running else time.monotonic() - self._last


class Server:
    """A running server. `address` is where clients find it.

    Errors: OSError when it cannot listen, or its device cannot draw.
    """

    def __init__(self, settings: Settings, zygote: Zygote | None = None) -> None:
        """`zygote`: one that was started ahead."""
        limits, handlers = settings.limits, settings.streams + SPARE_THREADS
        # Calls beyond twice the threads are refused by gRPC itself, before their messages are queued in memory.
        self._calls = Calls(handlers, "rpc")
        self._server = grpc.server(self._calls, options=_options(limits), maximum_concurrent_rpcs=2 * handlers)
        self.address = _listen(self._server, settings.listen)  # First: nothing is loaded where nobody can listen.
        backend, draw = backend_for(settings.device, settings.backend)
        stores = Stores(settings.stores)
        engine = Engine(draw, limits.whole_elements, Cache(settings.whole_bytes), settings.threads, stores)
        self._zygote = zygote or Zygote(preload=settings.warm)
        self._pool = Pool(self._zygote, settings.build, settings.build_workers)
        # Real models of generator `torch` take memory and time of their own, one after another.
        self._torch_pool = Pool(self._zygote, settings.torch, workers=1)
        self._streamer = Streamer(settings.threads, settings.digest)
        device, held = settings.first_device, settings.held_bytes
        plans = Plans(self._pool, self._torch_pool, limits, engine, device, held, settings.stores)
        self._warming = threading.Timer(WARM_AFTER, warm)
        self._warming.daemon = True
        if settings.warm:
            warm()
            self._pool.warm()
            plans.capabilities(lambda: False)
        else:
            self._warming.start()
        self._server.add_generic_rpc_handlers((Service(plans, self._streamer, settings, backend).handler(),))
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        _add_reflection(self._server)

    def start(self) -> None:
        """Serves, and health checks say so."""
        self._server.start()
        for name in ("", SERVICE):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def idle_seconds(self) -> float:
        """How long no call has been running."""
        return self._calls.idle_seconds()

    def stop(self, grace: float) -> None:
        """Health goes NOT_SERVING, new calls are refused, running ones get `grace` seconds; then everything ends."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()
        for each in (self._pool, self._torch_pool, self._zygote):
            each.close()
        self._streamer.close()
        self._warming.cancel()


def _add_reflection(server: grpc.Server) -> None:
    """Reflection, which grpcio-reflection has as v1alpha; v1 has the same messages under another name."""
    servicer = reflection.ReflectionServicer((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME, REFLECTION_V1))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    v1 = grpc.method_handlers_generic_handler(REFLECTION_V1, {"ServerReflectionInfo": handler})
    server.add_generic_rpc_handlers((v1,))


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", limits.message_bytes),
        # Two servers must not share a port by accident.
        ("grpc.so_reuseport", 0),
        # Clients may ping idle streams: a build takes a while before the first message.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]


def _listen(server: grpc.Server, listen: str) -> str:
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {listen}: {error}") from None
    if listen.startswith("unix:"):
        return listen
    host, _, _ = listen.rpartition(":")
    return f"{host}:{port}"
