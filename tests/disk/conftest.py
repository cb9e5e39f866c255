"""The client's fake server serves these tests too."""

from tests.client.conftest import client as client
from tests.client.conftest import make_server as make_server
from tests.client.conftest import server as server
