"""A process that has the libraries loaded and forks one process for each job, in tens of milliseconds.

The serving process sends it sockets, each of which is one job, with the names of the modules that the job needs: those
that are not loaded yet are imported first, and stay. The fork reads its task from the socket and writes its answer to
it (`child`). A job lives as long as its socket: when the serving process shuts its side, the fork is killed, and when a
fork ends, by itself or not, the zygote adds the exit code and closes the socket. So whoever waits for the end of the
socket waits for the end of the process, and no process identifier ever leaves here. When the serving process ends, its
sockets close, and everything here ends.

Python's own `multiprocessing.forkserver` has no way to leave the main module alone, or to end.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterable
from typing import NoReturn

from initium_server.workers import child, preload
from initium_server.workers.sandbox import OFFLINE

ENDING = struct.Struct("<4si")
"""What ends a job's socket: `exit`, and the exit code, negative for a signal."""
MARK = b"exit"
_LONGEST = 1 << 16
"""Bytes of one message to the zygote."""


class Zygote:
    """The serving process's end. Starts at once; starts anew if the process is gone. Threads may share it."""

    def __init__(self, preload: bool = True, forked: bool = False) -> None:
        """Without `preload` it loads what its jobs name, when they do: right for a local server.

        `forked`: as a fork of this process, which has no threads yet. So nothing is imported twice.
        """
        self._flags = ["--preload"] if preload else []
        self._lock = threading.Lock()
        self._closed = False
        self._start(forked)

    def _start(self, forked: bool = False) -> None:
        self._told: set[str] = set()
        self._control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _Fork(theirs, self._flags) if forked else _spawn(theirs, self._flags)

    def has(self, modules: Iterable[str]) -> bool:
        """Whether it has loaded all of these, or has tried to."""
        return self._told.issuperset(set(modules) - set(preload.first(bool(self._flags))))

    def fork(self, modules: Iterable[str] = ()) -> socket.socket:
        """A new process with `modules` loaded, as the socket of its job. OSError if there can be none."""
        modules = tuple(modules)
        message = " ".join(["fork", *modules]).encode()
        ours, theirs = socket.socketpair()
        with theirs, self._lock, contextlib.ExitStack() as failed:
            failed.enter_context(ours)
            try:
                socket.send_fds(self._control, [message], [theirs.fileno()])
            except OSError:  # It is gone, e.g. by the hand of the kernel when memory ran out.
                if self._closed:
                    raise
                self._end()
                self._start()
                socket.send_fds(self._control, [message], [theirs.fileno()])
            failed.pop_all()
            self._told.update(modules)
        return ours

    def close(self) -> None:
        """Ends it, and with it whatever it forked."""
        with self._lock:
            self._closed = True
            self._end()

    def _end(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


def _spawn(control: socket.socket, flags: list[str]) -> subprocess.Popen[bytes]:
    command = "from initium_server.workers.zygote import main; main()"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", command, str(control.fileno()), *flags],
        pass_fds=[control.fileno()],
        env=os.environ | OFFLINE | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


class _Fork:
    """A zygote that is a fork of this process, with what `_spawn` would give it and no more."""

    def __init__(self, control: socket.socket, flags: list[str]) -> None:
        self.pid = os.fork()
        if not self.pid:
            self._become_zygote(control.fileno(), flags)

    def _become_zygote(self, control: int, flags: list[str]) -> NoReturn:
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, 0)
            os.dup2(nothing, 1)
            os.closerange(3, control)
            os.closerange(control + 1, os.sysconf("SC_OPEN_MAX"))
            os.environ.update(OFFLINE)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            serve(control, flags)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def kill(self) -> None:
        """As Popen's."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        """As Popen's."""
        os.waitpid(self.pid, 0)


class _Forks:
    """The zygote's end: its forks by the descriptors that show their ends."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._jobs: dict[int, tuple[int, socket.socket]] = {}
        """Descriptor of the process -> its identifier and its job."""

    def serve(self) -> None:
        """Forks for every job until the serving process is gone."""
        while True:
            descriptor, _ = self._poll.poll()[0]  # one at a time: what it closes must not be met again in the same list
            if descriptor in self._jobs:
                self._reap(descriptor)
            elif descriptor != self._control.fileno():
                self._kill(descriptor)
            elif not self._accept():
                return

    def _accept(self) -> bool:
        """Forks for the next job; false when there will be none."""
        data, descriptors, _, _ = socket.recv_fds(self._control, _LONGEST, 1)
        if not data:
            return False
        preload.load(data.decode().split()[1:])
        job, parent = socket.socket(fileno=descriptors[0]), os.getpid()
        try:
            identifier = os.fork()
        except OSError:
            job.close()
            return True
        if not identifier:
            self._become_child(job, parent)
        descriptor = os.pidfd_open(identifier)
        self._jobs[descriptor] = identifier, job
        self._poll.register(descriptor, select.POLLIN)
        self._poll.register(job, select.POLLRDHUP)
        return True

    def _become_child(self, job: socket.socket, parent: int) -> NoReturn:
        """Keeps no other job's socket open, whose end would else never be seen; and never comes back."""
        try:
            self._control.close()
            for descriptor, (_, other) in self._jobs.items():
                os.close(descriptor)
                other.close()
            child.run(job, parent)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def _kill(self, descriptor: int) -> None:
        """The serving process wants no more of a job."""
        self._poll.unregister(descriptor)
        for identifier, job in self._jobs.values():
            if job.fileno() == descriptor:
                os.kill(identifier, signal.SIGKILL)

    def _reap(self, descriptor: int) -> None:
        """A fork has ended: its exit code is the last that its socket says."""
        identifier, job = self._jobs.pop(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(identifier, 0)[1])
        self._poll.unregister(descriptor)
        os.close(descriptor)
        with contextlib.suppress(KeyError):  # as `_kill` may have done
            self._poll.unregister(job)
        with job, contextlib.suppress(OSError):
            job.send(ENDING.pack(MARK, code), socket.MSG_DONTWAIT)


def serve(control: int, flags: list[str]) -> None:
    """The zygote, until the serving process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the serving process.
    preload.load(preload.first("--preload" in flags))
    _Forks(socket.socket(fileno=control)).serve()


def main() -> None:
    """`DESCRIPTOR [--preload]` on the command line."""
    serve(int(sys.argv[1]), sys.argv[2:])
