"""The client: one object for one service, wherever its servers are, or for a server of one's own.

gRPC is loaded when a client is made, not when this is imported.
"""

from initium.client.client import Client, connect
from initium.client.local_server import local

__all__ = ["Client", "connect", "local"]
