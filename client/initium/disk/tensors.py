"""The digests of single tensors on the disk: independent of how they are packed into files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from initium.contract.leaves import LEAF
from initium.contract.plans import total_bytes
from initium.disk.verification import Progress
from initium.errors import VerifyError, Violation
from initium.v1.plan_pb2 import Plan, PlannedTensor


def tensor_digests(directory: Path, plan: Plan, progress: Progress | None = None) -> Mapping[str, str]:
    """The lower-case hex BLAKE3 of the bytes of every tensor of a checkpoint, by name, as `StreamedTensor` has it.

    Errors: VerifyError for a file that cannot be read, or ends too soon.
    """
    found: dict[str, str] = {}
    done, total = 0, total_bytes(plan)
    for index, file in enumerate(plan.files):
        inside = [tensor for tensor in plan.tensors if tensor.file == index]
        if not inside:
            continue
        try:
            with (directory / file.name).open("rb") as stream:
                for tensor in inside:
                    found[tensor.name] = _digest(stream, tensor)
        except (OSError, EOFError) as error:
            text = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            raise VerifyError(f"{directory} is no whole checkpoint", violations=[Violation(file.name, text)]) from None
        done += file.size
        if progress is not None:
            progress(done, total)
    return found


def _digest(stream: BinaryIO, tensor: PlannedTensor) -> str:
    stream.seek(tensor.offset)
    hashed = blake3()
    for piece in _pieces(stream, tensor):
        hashed.update(piece)
    return hashed.hexdigest()


def _pieces(stream: BinaryIO, tensor: PlannedTensor) -> Iterator[bytes]:
    left = tensor.size
    while left:
        piece = stream.read(min(left, LEAF))
        if not piece:
            raise EOFError(f"ends {left:,} bytes before the end of {tensor.name}")
        yield piece
        left -= len(piece)
