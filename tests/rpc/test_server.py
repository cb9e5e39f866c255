"""The server around the service: listening, health, reflection, and an end in order."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from initium.v1 import service_pb2 as pb
from initium.v1.service_pb2_grpc import InitiumServiceStub
from initium_server.rpc.server import Server
from initium_server.rpc.settings import Settings
from tests.rpc.calls import recipe, source

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE = "initium.v1.InitiumService"


@contextmanager
def started(listen: str) -> Iterator[Server]:
    server = Server(Settings(listen=listen, warm=False))
    server.start()
    try:
        yield server
    finally:
        server.stop(0)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_it_listens_where_it_says_and_serves_jobs_of_processes(kind: str, tmp_path: Path) -> None:
    with started("127.0.0.1:0" if kind == "tcp" else f"unix:{tmp_path}/s") as server:
        assert server.address == f"unix:{tmp_path}/s" if kind == "unix" else int(server.address.rpartition(":")[2]) > 0
        with grpc.insecure_channel(server.address) as channel:
            answer = InitiumServiceStub(channel).Resolve(pb.ResolveRequest(source=source(recipe())))
    assert [tensor.name for tensor in answer.plan.tensors] == ["a", "b", "c", "d"]


def test_health_and_reflection_list_the_service(tmp_path: Path) -> None:
    with started(f"unix:{tmp_path}/s") as server, grpc.insecure_channel(server.address) as channel:
        for name in ("", SERVICE):
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == SERVING
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        (found,) = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
        names = {service.name for service in found.list_services_response.service}
        assert names >= {SERVICE, "grpc.health.v1.Health"}


def test_at_the_end_health_says_so_before_running_calls_are_done(tmp_path: Path) -> None:
    server = Server(Settings(listen=f"unix:{tmp_path}/s", warm=False))
    server.start()
    with grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert next(watch).status == SERVING
        ending = threading.Thread(target=server.stop, args=(20.0,))
        ending.start()
        assert next(watch).status == NOT_SERVING
        watch.cancel()
    ending.join(20)
    assert not ending.is_alive()


def test_an_address_that_is_taken_is_refused_before_anything_is_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=f"cannot listen on {address}"):
            Server(Settings(listen=address))


def test_a_server_is_idle_while_no_call_is_running(tmp_path: Path) -> None:
    with started(f"unix:{tmp_path}/s") as server, grpc.insecure_channel(server.address) as channel:
        large = {"tensors": {"tensors": [{"name": "x", "shape": [10000, 10000]}]}}
        rules = [{"match": {"every": True}, "zeros": {}}]
        call = InitiumServiceStub(channel).Generate(
            pb.GenerateRequest(source=source(recipe(architecture=large, init={"rules": rules})))
        )
        next(call)
        assert server.idle_seconds() == 0
        call.cancel()
        while not (idle := server.idle_seconds()):
            time.sleep(0.005)
        while server.idle_seconds() <= idle:
            time.sleep(0.005)


def test_two_servers_do_not_share_a_port() -> None:
    with started("127.0.0.1:0") as first, pytest.raises(OSError, match="cannot listen on"):
        Server(Settings(listen=first.address, warm=False))


def test_messages_beyond_four_mebibytes_are_taken(tmp_path: Path) -> None:
    """gRPC's own default would refuse them without a reason of the contract."""
    with started(f"unix:{tmp_path}/s") as server, grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(f"/{SERVICE}/Resolve")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\xff" * (5 << 20))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
