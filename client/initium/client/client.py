"""The client: one object for one service, wherever its servers are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from initium.client import naming, stream
from initium.client.generation import Progress, generate
from initium.client.retry import OnRetry
from initium.contract.leaves import Leaf
from initium.contract.plans import sealed
from initium.contract.recipe import RecipeLike, load, load_recipe
from initium.contract.shown import Inventory
from initium.disk.manifest import Manifest
from initium.errors import RequestError
from initium.v1.plan_pb2 import Plan
from initium.v1.service_pb2 import (
    ExplainRequest,
    ExplainResponse,
    GetCapabilitiesRequest,
    GetCapabilitiesResponse,
    ListModelsRequest,
    ListModelsResponse,
    ListTensorsRequest,
    ListTensorsResponse,
    PlanSource,
)

if TYPE_CHECKING:
    import grpc

    from initium.client.rpc import Rpc

_P = TypeVar("_P", ListTensorsResponse, ListModelsResponse)
_MAX_BYTES = (1 << 64) - 1

Source = RecipeLike | Plan
"""A recipe or a plan in any of their forms."""


def connect(
    address: str,
    *,
    timeout: float = 300.0,
    patience: float = 60.0,
    credentials: grpc.ChannelCredentials | None = None,
    on_retry: OnRetry | None = None,
) -> Client:
    """A client of the service at `address`: `host:port`, `unix:/path`, or any gRPC target such as `dns:///name:port`.

    Connects with the first call, and spreads calls over all addresses that the name has.

    `timeout`: seconds that building a model, or one answer, may take.
    `patience`: seconds without progress after which a call gives up on servers that are unavailable; while none has
    answered yet, 10 at most.
    `credentials`: of `grpc.ssl_channel_credentials(...)`; without them the connection is not encrypted.
    `on_retry`: called with the error and the pause in seconds before each new try.
    Errors: RequestError if it is no address.
    """
    from initium.client.rpc import Rpc, open_channel  # gRPC takes longer to import than all else

    return Client(Rpc(open_channel(address, credentials), address, timeout, patience, on_retry))


class Client:
    """Calls one service. Made by `connect` or `local`; a context manager. Threads may share it."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self.on_close: Callable[[], object] = lambda: None
        """Called when it has been closed."""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. Running calls end with Cancelled."""
        self._rpc.close()
        self.on_close()

    @property
    def address(self) -> str:
        """Where the service is."""
        return self._rpc.address

    def capabilities(self) -> GetCapabilitiesResponse:
        """What the server can do. Errors: Unavailable."""
        return self._rpc.unary("GetCapabilities", GetCapabilitiesRequest(), GetCapabilitiesResponse())

    def resolve(self, source: Source, *, seed: int | None = None) -> Plan:
        """The plan of a recipe, with both digests, without making weights; or a plan, checked by the server.

        `seed` replaces the recipe's own.
        Errors: RecipeError, PlanError, LimitExceeded, PreconditionError, Unsupported, Unavailable.
        """
        loaded = load(source, seed=seed)
        wrapped = PlanSource(plan=loaded) if isinstance(loaded, Plan) else PlanSource(recipe=loaded)
        return naming.resolve(self._rpc, wrapped)

    def inventory(self, recipe: RecipeLike) -> Inventory:
        """The tensors of a recipe's architecture before any rule: what one needs to write rules. It needs no seed.

        Errors: as `resolve`.
        """
        request = ListTensorsRequest(recipe=load_recipe(recipe, require_seed=False))
        pages = self._pages("ListTensors", request, ListTensorsResponse)
        return Inventory(tensor for page in pages for tensor in page.tensors)

    def explain(self, recipe: RecipeLike, tensor: str) -> ExplainResponse:
        """Why a tensor gets its values: the rules that were tried, in order, and how its numbers come about.

        `tensor` is any of its names; empty: what each rule reaches. The recipe needs no seed.
        Errors: as `resolve`; RequestError for a tensor that the architecture does not have.
        """
        request = ExplainRequest(recipe=load_recipe(recipe, require_seed=False), tensor=tensor)
        return self._rpc.unary("Explain", request, ExplainResponse())

    def models(self, library: str, contains: str = "") -> list[str]:
        """The names that a model library has, e.g. of `timm`; only those that contain a text.

        Errors: PreconditionError where the server lacks the library; RequestError; Unavailable.
        """
        request = ListModelsRequest(library=library, contains=contains)
        return [name for page in self._pages("ListModels", request, ListModelsResponse) for name in page.names]

    def _pages(self, method: str, request: Any, response: type[_P]) -> Iterator[_P]:
        """The pages of a listing."""
        while True:
            page = self._rpc.unary(method, request, response())
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def generate(
        self,
        source: Source,
        directory: Path | str,
        *,
        seed: int | None = None,
        force: bool = False,
        progress: Progress | None = None,
        tensor_digests: bool = False,
    ) -> Manifest:
        """Writes the checkpoint of a recipe or plan into `directory` and returns its manifest.

        Files have their final names only when all are complete, `manifest.json` last. After a break, of the server or
        of this process, the same call goes on where it stopped. `directory` must be absent or empty, or hold the start
        of the same checkpoint; with `force` a checkpoint in it is replaced and foreign files stay.

        `seed` replaces the recipe's own. `progress` is called with the bytes done and all bytes; first, if it goes on
        where an earlier run stopped, those that were there. `tensor_digests` fills
        `Manifest.tensor_digests` with the tensors that came whole in one stream.
        Errors: as `resolve`; OutputError; IntegrityError.
        """
        return generate(
            self._rpc,
            self._plan(source, seed),
            Path(directory),
            force=force,
            progress=progress,
            tensor_digests=tensor_digests,
        )

    def tensors(
        self, source: Source, *, seed: int | None = None, framework: Literal["np", "pt"] = "np"
    ) -> Iterator[tuple[str, Any]]:
        """Name and values of every tensor, in file order, without touching the disk. Memory: the largest tensor.

        `framework`: `np` gives numpy arrays, BF16 and F8 in the types of ml_dtypes; `pt` gives torch tensors on the
        CPU, and is all that imports torch. Tied tensors come once, under their first name.
        Errors: as `resolve`; IntegrityError; Unsupported for dtypes that this client does not know, and for `pt`
        where torch is not installed.
        """
        from initium.client.tensors import maker, tensors  # numpy is slow to import, too

        make = maker(framework)
        return tensors(stream.LeafStream(self._rpc, self._plan(source, seed)), make)

    def leaves(self, source: Source, *, seed: int | None = None) -> Iterator[Leaf]:
        """The files of a checkpoint in order, in checked pieces of an aligned 1 MiB. Errors: as `tensors`."""
        return stream.LeafStream(self._rpc, self._plan(source, seed)).checked()

    def read(self, plan: Plan | str, file: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes `[offset, offset + length)` of a file of `plan`, to the end without `length`. Fewer at the end.

        `plan` may be the digest of a plan that the server has seen.
        Errors: FileNotFound, OutOfRange, PlanNotFound, RequestError, IntegrityError; Unsupported under generator
        `torch`.
        """
        for name, value in (("offset", offset), ("length", length or 0)):
            if not 0 <= value <= _MAX_BYTES:
                raise RequestError(f"{name} is {value}; it must be in 0..2^64-1")
        named = plan if isinstance(plan, str) else sealed(plan)
        return b"".join(stream.read_pieces(self._rpc, named, file, offset, length))

    def _plan(self, source: Source, seed: int | None) -> Plan:
        loaded = load(source, seed=seed)
        return sealed(loaded) if isinstance(loaded, Plan) and loaded.files else self.resolve(loaded)
