"""How large a checkpoint may be where nobody says otherwise."""

from __future__ import annotations

from initium.plan.limits import Limits


def test_defaults() -> None:
    limits = Limits()
    assert limits.message_bytes == 67_108_864
    assert limits.elements == 2**44
    assert limits.tensors == 1_000_000
    assert limits.literal_bytes == 50_331_648
    assert limits.whole_elements == 2**26
