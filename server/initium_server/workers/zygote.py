"""A process that has the libraries loaded and forks one process for each job, in tens of milliseconds.

The serving process sends it nothing but sockets, each of which is one job: the fork reads its task from it and writes
its answer to it (`child`). A job lives as long as its socket: when the serving process shuts its side, the fork is
killed, and when a fork ends, by itself or not, the zygote adds the exit code and closes the socket. So whoever waits
for the end of the socket waits for the end of the process, and no process identifier ever leaves here. When the serving
process ends, its sockets close, and everything here ends.

Python's own `multiprocessing.forkserver` has no way to leave the main module alone, or to end.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from typing import NoReturn

from initium_server.workers import child
from initium_server.workers.sandbox import OFFLINE

ENDING = struct.Struct("<4si")
"""What ends a job's socket: `exit`, and the exit code, negative for a signal."""
MARK = b"exit"


class Zygote:
    """The serving process's end. Starts at once; starts anew if the process is gone. Threads may share it."""

    def __init__(self, preload: bool = True) -> None:
        """Without `preload` each job imports what it needs: right for a server that lives for one request."""
        self._flags = ["--preload"] if preload else []
        self._lock = threading.Lock()
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        command = "from initium_server.workers.zygote import main; main()"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", command, str(theirs.fileno()), *self._flags],
                pass_fds=[theirs.fileno()],
                env=os.environ | OFFLINE | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def fork(self) -> socket.socket:
        """A new process, as the socket of its job. OSError if there can be none, as after `close`."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock, contextlib.ExitStack() as failed:
            failed.enter_context(ours)
            try:
                socket.send_fds(self._control, [b"j"], [theirs.fileno()])
            except OSError:  # It is gone, e.g. by the hand of the kernel when memory ran out.
                if self._closed:
                    raise
                self._end()
                self._start()
                socket.send_fds(self._control, [b"j"], [theirs.fileno()])
            failed.pop_all()
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
        data, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        if not data:
            return False
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


def main() -> None:
    """The zygote: `DESCRIPTOR [--preload]` on the command line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the serving process.
    if "--preload" in sys.argv:
        importlib.import_module("initium_server.workers.preload")
    gc.freeze()  # What is loaded stays: collections of the forks need not walk through it, nor copy its pages.
    _Forks(socket.socket(fileno=int(sys.argv[1]))).serve()
