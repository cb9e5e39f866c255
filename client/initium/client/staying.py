"""Local servers that stay: where they are, which one is right for a client, and how they end.

Each has a socket, a lock and a log in a directory that only this user can enter. The name of the three is a digest of
all that could make a server answer differently: its flags, the Python that runs it, what is installed there, its own
source files, and the part of the environment that libraries read. So a client finds a server that answers as a fresh
one would, or none. The server holds the lock as long as it lives, however it ends; who gets the lock may start one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import signal
import socket
import stat
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from initium.errors import ServerError

IDLE_SECONDS = 600.0
"""How long a server stays without a call."""
MAX_SOCKET_PATH = 100
"""Bytes; the kernel takes 107."""
_PATIENCE = 120.0
"""Seconds to wait for another client's server to listen, or for one that ends to be gone."""
_STOP_SECONDS = 5.0
_POLL = 0.01
_SOCKET, _LOCK, _LOG = ".sock", ".lock", ".log"
_PACKAGES = ("initium", "initium_law", "initium_server")

ENVIRONMENT = (
    *("HOME", "TMPDIR", "XDG_CACHE_HOME", "INITIUM_", "PYTHON", "LD_"),
    *("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TIMM_", "TORCH", "PYTORCH_", "ATEN_", "NUMBA_", "TRITON_", "USE_"),
    *("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "DNNL_", "ONEDNN_"),
)
"""How variables begin that Python, PyTorch and model libraries read. Others are as in the command that started it."""

SWITCHES = "INITIUM_LOCAL"
"""How variables begin that are for clients."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server of these flags is, whether it runs or not."""

    stem: Path
    flags: tuple[str, ...]
    environment: dict[str, str]
    """What it must have in its environment."""

    @classmethod
    def of(cls, flags: list[str]) -> Place:
        """The place for these flags, this Python and this environment. Errors: OSError where there can be none."""
        environment = _environment()
        told = [flags, sys.executable, sys.version, sys.prefix, _installed(), _sources(), sorted(environment.items())]
        stem = _directory() / hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
        if len(f"{stem}{_SOCKET}".encode()) > MAX_SOCKET_PATH:
            raise OSError(f"{stem} is too long for a socket")
        return cls(stem, tuple(flags), environment)

    @property
    def address(self) -> str:
        return f"unix:{self.socket}"

    @property
    def socket(self) -> Path:
        return self.stem.with_suffix(_SOCKET)

    @property
    def log(self) -> Path:
        return self.stem.with_suffix(_LOG)

    def ensure(self, start: Callable[[int], None]) -> None:
        """Has the server run: `start`, given the lock's descriptor, is called where it does not.

        Errors: OSError, those of `start`, and ServerError where a server neither answers nor ends.
        """
        deadline = time.monotonic() + _PATIENCE
        while not _listener(self.socket):
            with _lock(self.stem.with_suffix(_LOCK)) as lock:
                if lock is not None:
                    _sweep(self.stem.parent)
                    self.socket.unlink(missing_ok=True)
                    start(lock)
                    return
            if time.monotonic() > deadline:
                text = f"the local server with the log {self.log} neither listens nor ends"
                raise ServerError(f"{text}; INITIUM_LOCAL=off in the environment does without it")
            time.sleep(_POLL)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that stays."""

    process: int
    stem: Path

    def __str__(self) -> str:
        command = ""
        with contextlib.suppress(OSError):  # it may end at any time
            command = Path(f"/proc/{self.process}/cmdline").read_text("utf-8", "replace").replace("\0", " ").rstrip()
        return f"process {self.process}: {command}\n  log: {self.stem}{_LOG}"


def running() -> list[Running]:
    """This user's servers, of every version and environment. What dead ones have left is removed."""
    try:
        directory = _directory()
    except OSError:
        return []
    _sweep(directory)
    found = [(_listener(path), path.with_suffix("")) for path in sorted(directory.glob(f"*{_SOCKET}"))]
    return [Running(process, stem) for process, stem in found if process]


def stop(server: Running) -> None:
    """Ends a server; calls that it is answering fail, or are taken up by the next one."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.process, number)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            with _lock(server.stem.with_suffix(_LOCK)) as lock:
                if lock is not None:
                    _remove(server.stem)
                    return
            time.sleep(_POLL)


def _directory() -> Path:
    """The directory of this user's sockets, made where it is missing. Errors: OSError where it is not private."""
    user = os.geteuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    with contextlib.suppress(OSError):
        if os.path.isabs(runtime) and os.stat(runtime).st_uid == user:
            return _private(Path(runtime) / "initium", user)
    return _private(Path(tempfile.gettempdir()) / f"initium-{user}", user)


def _private(directory: Path, user: int) -> Path:
    with contextlib.suppress(FileExistsError):
        directory.mkdir(0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
        raise PermissionError(f"{directory} is not a directory of this user's alone")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(f"{directory} cannot be written")
    return directory


def _environment() -> dict[str, str]:
    names = [name for name in os.environ if name.startswith(ENVIRONMENT) and not name.startswith(SWITCHES)]
    found = {name: os.environ[name] for name in names}
    if "PYTHONPATH" in found:  # the server runs in another directory
        found["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, found["PYTHONPATH"].split(os.pathsep)))
    return found


def _installed() -> list[tuple[str, int]]:
    """When something was last installed or removed where Python looks for packages."""
    directories = sorted({path for path in sys.path if path.endswith("-packages")})
    return [(path, os.stat(path).st_mtime_ns) for path in directories if os.path.isdir(path)]


def _sources() -> list[tuple[str, int, int]]:
    """The files of this project, each with its time and size: an edited checkout gets another server."""
    found = []
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for root in (spec and spec.submodule_search_locations) or ():
            for directory, _, names in os.walk(root):
                files = [os.path.join(directory, name) for name in names if name.endswith(".py")]
                found += [(file, (status := os.stat(file)).st_mtime_ns, status.st_size) for file in files]
    return sorted(found)


def _listener(path: Path) -> int:
    """The process of this user's that listens there; 0 if there is none."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
            peer = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return 0
    process, user, _ = struct.unpack("3i", peer)
    return int(process) if user == os.geteuid() else 0


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[int | None]:
    """The descriptor of a file that is locked; None where another has it locked. Errors: OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor if _locked(descriptor, path) else None
    finally:
        os.close(descriptor)


def _locked(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path.stat().st_ino == os.fstat(descriptor).st_ino  # or its last holder has removed it
    except (BlockingIOError, FileNotFoundError):
        return False


def _sweep(directory: Path) -> None:
    """Removes what servers have left that were killed."""
    for path in directory.glob(f"*{_LOCK}"):
        with contextlib.suppress(OSError), _lock(path) as lock:
            if lock is not None:
                _remove(path.with_suffix(""))


def _remove(stem: Path) -> None:
    """Removes a server's files, for who holds its lock; that one last, since who gets it may make new ones."""
    for suffix in (_SOCKET, _LOG, _LOCK):
        stem.with_suffix(suffix).unlink(missing_ok=True)
