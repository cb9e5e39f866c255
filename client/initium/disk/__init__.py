"""A checkpoint on disk: how it arrives (`partial`, `writer`), what lies beside it (`manifest`), whether it is right."""

from initium.disk.manifest import Manifest
from initium.disk.verification import redraw, verify

__all__ = ["Manifest", "redraw", "verify"]
