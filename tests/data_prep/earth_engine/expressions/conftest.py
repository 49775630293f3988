"""The `ee` client, initialised, for everything that builds graphs."""

import pytest

from tests.earth_engine_server.small_earth.scenes import initialised_client


@pytest.fixture(autouse=True, scope="module")
def client():
    with initialised_client():
        yield
