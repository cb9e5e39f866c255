"""The gRPC server: the service, health and reflection on one port, started and stopped gracefully."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from initium.plan.limits import Limits
from initium_law import Cache, Engine, warm
from initium_law.backends import backend_for
from initium_server.rpc.plans import Plans
from initium_server.rpc.service import SERVICE, Service
from initium_server.rpc.settings import Settings
from initium_server.rpc.stream import Streamer
from initium_server.workers import Pool, Zygote

SPARE_THREADS = 16
"""Threads beyond those that streams may hold, so that health checks and short calls are always answered."""


class Server:
    """A running server. `address` is where clients find it.

    Errors: OSError when it cannot listen, or its device cannot draw.
    """

    def __init__(self, settings: Settings) -> None:
        limits, handlers = settings.limits, settings.streams + SPARE_THREADS
        # Calls beyond twice the threads are refused by gRPC itself, before their messages are queued in memory.
        self._server = grpc.server(
            ThreadPoolExecutor(handlers, "rpc"), options=_options(limits), maximum_concurrent_rpcs=2 * handlers
        )
        self.address = _listen(self._server, settings.listen)  # First: nothing is loaded where nobody can listen.
        backend, draw = backend_for(settings.device, settings.backend)
        engine = Engine(draw, limits.whole_elements, Cache(settings.whole_bytes), settings.threads)
        self._zygote = Zygote(preload=settings.warm)
        self._pool = Pool(self._zygote, settings.build, settings.build_workers)
        # Real models of generator `torch` take memory and time of their own, one after another.
        self._torch_pool = Pool(self._zygote, settings.torch, workers=1)
        self._streamer = Streamer(settings.threads, settings.digest)
        plans = Plans(self._pool, self._torch_pool, limits, engine, settings.first_device, settings.held_bytes)
        if settings.warm:
            warm()
            self._pool.warm()
            plans.capabilities(lambda: False)
        else:
            threading.Thread(target=warm, daemon=True).start()
        self._server.add_generic_rpc_handlers((Service(plans, self._streamer, settings, backend).handler(),))
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        _add_reflection(self._server)

    def start(self) -> None:
        """Serves, and health checks say so."""
        self._server.start()
        for name in ("", SERVICE):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace: float) -> None:
        """Health goes NOT_SERVING, new calls are refused, running ones get `grace` seconds; then everything ends."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()
        for each in (self._pool, self._torch_pool, self._zygote):
            each.close()
        self._streamer.close()


def _add_reflection(server: grpc.Server) -> None:
    """Reflection, which grpcio-reflection has as v1alpha; v1 has the same messages under another name."""
    servicer = reflection.ReflectionServicer((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    v1 = grpc.method_handlers_generic_handler("grpc.reflection.v1.ServerReflection", {"ServerReflectionInfo": handler})
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
