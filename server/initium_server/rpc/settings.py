"""How to serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from initium.contract.leaves import leaf_digest
from initium.plan.limits import Limits
from initium_server.workers.pool import JobLimits, physical_memory


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is started with."""

    listen: str = "127.0.0.1:7070"
    """`host:port` (port 0: any free one) or `unix:/path`."""
    device: str = "cpu"
    """One or several devices, as `initium_law.backends.backend_for` takes them."""
    backend: str = "auto"
    threads: int = 1
    build_workers: int = 2
    streams: int = 64
    """Streams that are served at once; more are refused with BUSY."""
    warm: bool = True
    """Load libraries and kernels before listening, not when the first request needs them."""
    whole_bytes: int = 1 << 30
    """Memory for tensors that are made whole, such as orthogonal ones."""
    held_bytes: int = 256 << 20
    """Memory for plans that are kept for later calls; the latest is kept whatever its size."""
    stores: Mapping[str, str] = field(default_factory=dict)
    """Directories of checkpoints that recipes may load from, by the names that they use."""
    limits: Limits = field(default_factory=Limits)
    build: JobLimits = field(default_factory=JobLimits)
    torch: JobLimits = field(default_factory=lambda: JobLimits(3600, physical_memory() * 3 // 4))
    """Bounds of one run of generator `torch`."""
    digest: Callable[[memoryview], bytes] = leaf_digest

    @property
    def first_device(self) -> str:
        """Where generator `torch` runs, which takes one device."""
        return self.device.partition(",")[0]
