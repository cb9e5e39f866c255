"""What every test of this folder needs."""

from __future__ import annotations

import pytest
from torch import nn

from initium_server.capture import capture


@pytest.fixture(scope="session", autouse=True)
def first_capture() -> None:
    """The first capture raises the recursion limit; Hypothesis does not want to see that happen in a test of its."""
    capture(nn.Module)
