"""The real `ee` client against a server of this machine."""

import pytest

from tests.earth_engine_server.server import EarthEngineServer
from tests.earth_engine_server.server import Settings


@pytest.fixture
def start_server():
    """Starts servers: `start_server(latency_s=0.1)`; closed at the end."""
    servers = []

    def start(**settings):
        servers.append(EarthEngineServer(Settings(**settings)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def reach():
    """Flags that reach a server, for any program here."""

    def flags(server):
        return {
            "ee_project": "my-project",
            "ee_credentials": "anonymous",
            "ee_url": server.url,
        }

    return flags
