"""The client's fake server serves these tests too."""

from pathlib import Path

import pytest

from tests.client.conftest import client as client
from tests.client.conftest import make_server as make_server
from tests.client.conftest import reported as reported
from tests.client.conftest import server as server


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a checkpoint is written; it is not there yet."""
    return tmp_path / "out"
