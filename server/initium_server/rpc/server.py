"""The gRPC server: the service, health and reflection on one port, started and stopped gracefully."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from initium.digests import leaf_digest
from initium_server import law
from initium_server.accelerators import backend_for
from initium_server.build.pool import BuildPool
from initium_server.core.limits import Limits
from initium_server.devices import first_device
from initium_server.rpc.plans import Plans
from initium_server.rpc.service import SERVICE, Service
from initium_server.rpc.stream import Streamer

SPARE_THREADS = 16
"""Threads beyond those that streams may hold, so that health checks and short calls are always answered."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve. `listen`: `host:port` (port 0: any free one) or `unix:/path`."""

    listen: str = "127.0.0.1:7070"
    device: str = "cpu"
    """One or several devices, as `accelerators.backend_for` takes them."""
    backend: str = "auto"
    threads: int = 1
    build_workers: int = 2
    streams: int = 64
    """Streams that are served at once; more are refused with BUSY."""
    warm: bool = True
    """Load libraries and kernels before listening, not when the first request needs them."""
    whole_bytes: int = 1 << 30
    """Memory for tensors that are made whole, such as orthogonal ones."""
    limits: Limits = field(default_factory=Limits)
    digest: Callable[[memoryview], bytes] = leaf_digest


class Server:
    """A running server. `address` is where clients find it.

    Raises OSError when it cannot listen, or its device cannot draw.
    """

    def __init__(self, settings: Settings) -> None:
        limits, preload = settings.limits, settings.warm
        backend, draw = backend_for(settings.device, settings.backend)
        engine = law.Engine(draw, limits.whole_elements, law.Cache(settings.whole_bytes), settings.threads)
        device = first_device(settings.device)
        self._pool = BuildPool(limits.build_seconds, limits.build_bytes, settings.build_workers, preload=preload)
        # Real models of generator `torch` take memory and time of their own, one after another.
        self._torch_pool = BuildPool(limits.torch_seconds, limits.torch_bytes, workers=1, preload=preload)
        self._streamer = Streamer(settings.threads, settings.digest)
        plans = Plans(self._pool, self._torch_pool, limits, engine, device)
        if settings.warm:
            law.warm()
            self._pool.warm()
            plans.optimizers(lambda: False)
        else:
            threading.Thread(target=law.warm, daemon=True).start()
        service = Service(plans, self._streamer, limits, engine, (device, backend), settings.streams)
        handlers = settings.streams + SPARE_THREADS
        # Calls beyond twice the threads are refused by gRPC itself, before their messages are queued in memory.
        self._server = grpc.server(
            ThreadPoolExecutor(handlers, "rpc"), options=_options(limits), maximum_concurrent_rpcs=2 * handlers
        )
        self._server.add_generic_rpc_handlers((service.handler(),))
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self.address = _listen(self._server, settings.listen)

    def start(self) -> None:
        """Serves, and tells health checks so."""
        self._server.start()
        for name in ("", SERVICE):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace: float) -> None:
        """Health goes NOT_SERVING, new calls are refused, running ones get `grace` seconds; then everything ends."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()
        for pool in (self._pool, self._torch_pool):
            pool.close()
        self._streamer.close()


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
