"""Calls over one channel: options, deadlines, and gRPC's errors turned into ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, EncodeError, Message

from initium.client.retry import OnRetry, Patience
from initium.client.status import from_rpc
from initium.errors import Cancelled, LimitExceeded, RequestError, ServerError, TimedOut, Unavailable
from initium.plan.limits import MESSAGE_BYTES

SERVICE = "/initium.v1.InitiumService/"
FIRST_CONTACT = 40.0
"""Seconds of patience with a server that has never answered: it may be starting, which takes up to half a minute."""
_NEVER = "; is a server running there? `initium serve` starts one"
MIN_STALL = 10.0
"""Seconds that a running stream may be silent even for a client without patience."""

_M = TypeVar("_M", bound=Message)
_T = TypeVar("_T")

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.lb_policy_name", "round_robin"),
    # Retries are ours: gRPC commits a stream with its first message and never retries it.
    ("grpc.enable_retries", 0),
    # gRPC would wait up to two minutes before it looks for a server again.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # Each client its own connection, so that two clients in one process do not share one TCP window.
    ("grpc.use_local_subchannel_pool", 1),
    # A fixed window of 16 MiB (1.6 GB/s at 10 ms). gRPC's own estimate takes a busy machine for a long way and then
    # buffers hundreds of MiB.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16 << 20),
    ("SingleThreadedUnaryStream", 1),
)


def open_channel(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """A channel to `host:port`, `unix:/path` or any gRPC target. Connects with the first call.

    Errors: RequestError if it is no address.
    """
    if not isinstance(address, str) or not address or any(letter.isspace() for letter in address):
        raise RequestError(f"{address!r} is no address; write host:port or unix:/path")
    if ":" not in address:
        example = f"127.0.0.1:{address}" if address.isdecimal() else f"{address}:7070"
        raise RequestError(f"{address!r} has no port; write host:port, e.g. {example}")
    if address.startswith(("http://", "https://")):
        host = address.partition("//")[2].rstrip("/")
        raise RequestError(f"{address!r} is a URL; gRPC takes {host!r}")
    if credentials is not None:
        return grpc.secure_channel(address, credentials, options=_OPTIONS)
    return grpc.insecure_channel(address, options=_OPTIONS)


class Rpc:
    """The calls of one client."""

    def __init__(
        self, channel: grpc.Channel, address: str, timeout: float, patience: float, on_retry: OnRetry | None
    ) -> None:
        self.address = address
        self.timeout = timeout
        self._channel = channel
        self._patience = patience
        self._on_retry = on_retry
        self._answered = False
        self._closed = False

    def close(self) -> None:
        """Ends all calls and the channel."""
        self._closed = True
        self._channel.close()

    def patience(self) -> Patience:
        """A fresh clock; a short one while no server has answered yet."""
        if self._answered:
            return Patience(self._patience, self._on_retry)
        return Patience(min(self._patience, FIRST_CONTACT), self._on_retry, _NEVER)

    def unary(self, method: str, request: Message, response: _M) -> _M:
        """One answer, tried again while servers are unavailable. Errors: InitiumError."""
        call = self._channel.unary_unary(SERVICE + method)
        return self.retried(lambda: self._answer(lambda: call(serialize(request), timeout=self.timeout), response))

    def upload(self, method: str, requests: Callable[[], Iterable[Message]], response: _M) -> _M:
        """One answer to a stream of requests, which is made anew for each try. Errors: InitiumError."""
        call = self._channel.stream_unary(SERVICE + method)
        return self.retried(
            lambda: self._answer(lambda: call(map(serialize, requests()), timeout=self.timeout), response)
        )

    def retried(self, once: Callable[[], _T]) -> _T:
        """The result of `once`, tried again while servers are unavailable. Errors: InitiumError."""
        patience = self.patience()
        while True:
            try:
                return once()
            except Unavailable as error:
                patience.failed(error)

    def _answer(self, call: Callable[[], bytes], response: _M) -> _M:
        self._check_open()
        try:
            answer = call()
        except grpc.RpcError as error:
            raise self._mapped(error) from None
        self._answered = True
        return self.parsed(answer, response)

    def parsed(self, data: bytes, response: _M) -> _M:
        """`response` with what `data` holds. Errors: ServerError if it is no such message."""
        try:
            response.ParseFromString(data)
        except DecodeError:
            kind = response.DESCRIPTOR.name
            raise ServerError(f"{self.address} sends something else than a {kind}; is it an Initium server?") from None
        return response

    def stream(self, method: str, request: Message) -> Iterator[bytes]:
        """The raw messages of one call, tried once.

        The first may take `timeout` seconds, since models are built before it; each further one
        as half of the patience, so that some is left for another server, but not less than MIN_STALL.
        Errors: InitiumError; Unavailable if the stream breaks or stalls.
        """
        self._check_open()
        call = self._channel.unary_stream(SERVICE + method)(serialize(request))
        watchdog = _Watchdog(call, self.timeout)
        try:
            while True:
                watchdog.waiting_since = time.monotonic()
                message = next(call, None)
                watchdog.waiting_since = None
                if message is None:
                    return
                self._answered = True
                watchdog.limit = max(self._patience / 2, MIN_STALL)
                yield message
        except grpc.RpcError as error:
            raise watchdog.verdict(self.address) or self._mapped(error) from None
        finally:
            watchdog.stop()
            call.cancel()

    def _check_open(self) -> None:
        if self._closed:
            raise Cancelled("this client is closed; connect again")

    def _mapped(self, error: grpc.RpcError) -> Exception:
        result = from_rpc(error)
        if isinstance(result, Unavailable) and not result.reason:
            # gRPC also says how it came to the cause: "failed to connect to all addresses; last error: ...: the cause".
            result.message = f"no answer from {self.address}: {result.message.rpartition(': ')[2]}"
        return result


def serialize(request: Message) -> bytes:
    """The bytes of a request. Errors: LimitExceeded beyond MESSAGE_BYTES, RequestError if it cannot be written."""
    try:
        data = request.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise RequestError(f"the request cannot be written: {error}") from None
    if len(data) > MESSAGE_BYTES:
        what, remedy = f"the request has {len(data):,} bytes", "make the recipe shorter, e.g. with blocks and patterns"
        raise LimitExceeded.of(what, "message_bytes", MESSAGE_BYTES, remedy)
    return data


class _Watchdog:
    """Cancels a call that has waited too long for its next message. gRPC's deadlines are for whole calls only."""

    def __init__(self, call: grpc.Call, limit: float) -> None:
        self.limit = limit
        self.waiting_since: float | None = None
        self._call = call
        self._fired = False
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="initium-watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def verdict(self, address: str) -> TimedOut | None:
        """The error if it was the watchdog that ended the call."""
        return TimedOut(f"{address} sent nothing for {self.limit:g} s") if self._fired else None

    def _watch(self) -> None:
        while not self._stopped.wait(min(1.0, self.limit / 4)):
            since = self.waiting_since
            if since is not None and time.monotonic() - since > self.limit:
                self._fired = True
                self._call.cancel()
                return
