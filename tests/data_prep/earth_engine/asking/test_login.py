"""Logging in: credentials of all kinds, and servers that let nobody in."""

import dataclasses
import datetime
import itertools
import json
import time
import traceback
import urllib.parse

import ee
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from data_prep.earth_engine.asking.client import Client
from data_prep.earth_engine.asking.client import GivenUpError
from data_prep.earth_engine.asking.client import PixelRequest
from data_prep.earth_engine.asking.client import StoppedError
from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.asking.login import connect
from s2distill.errors import ConfigError
from s2distill.errors import EarthEngineError
from s2distill.geo.grid import Grid
from tests.earth_engine_server import server as server_module

GRID = Grid("EPSG:32616", (10.0, 0.0, 737_280.0, 0.0, -10.0, 3_736_640.0), 2, 3)
SECRET = "MIIEvQIBADANBgkqhkiG9w0BAQ"
KEY = {
    "type": "service_account",
    "client_email": "robot@my-project.iam.gserviceaccount.com",
    "token_uri": "http://127.0.0.1:1/token",
}
BROKEN_KEYS = {
    "cut": '{"private_key": "' + SECRET,
    "without fields": json.dumps({"private_key": SECRET}),
    "no key in it": json.dumps({**KEY, "private_key": SECRET}),
    "a list": json.dumps([SECRET]),
    "a number": "3",
    "a text": json.dumps(SECRET),
    "bytes": b"\xff\xfe\x00" + SECRET.encode(),
    "empty": "",
}


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """No credentials of this machine, and no waiting."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    # Ask no metadata server whether this is Google's cloud.
    monkeypatch.setattr(
        "google.auth.compute_engine._metadata._NO_GCE_CHECK", True
    )
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    yield slept
    ee.Reset()


@pytest.fixture
def config(start_server, reach):
    return ClientConfig(**reach(start_server()), max_tries=3)


def _refuse_gets(monkeypatch, answer, *, times):
    """The next GET requests are answered otherwise."""
    handler, left = server_module._Handler, iter(range(times))
    usual = handler.do_GET

    def do_get(self):
        act = usual if next(left, None) is None else answer
        act(self)

    monkeypatch.setattr(handler, "do_GET", do_get)


def _status(status, message="no"):
    return lambda handler: handler._send_error(status, message)


def test_flags_that_make_no_sense_are_refused_before_anything_is_asked():
    with pytest.raises(ConfigError, match="--ee_project is empty"):
        connect(ClientConfig(ee_url="http://127.0.0.1:1"))


def test_nobody_may_log_in_to_a_server_of_ones_own(config):
    connect(config)
    assert ee.Image(1).getInfo  # the algorithms are there
    assert ee.data._get_state().max_retries == 0


def test_a_process_may_log_in_again_elsewhere(config, start_server):
    connect(config)
    other = start_server()
    connect(dataclasses.replace(config, ee_url=other.url))
    ee.data.computePixels(
        PixelRequest(
            ee.Image.constant(1), GRID, ("longitude", "latitude")
        ).to_parameters()
    )
    assert len(other.requests) == 1


@pytest.mark.parametrize("earlier", [0, 1])
def test_a_server_that_is_busy_at_first_is_asked_again(
    monkeypatch, config, nobody, earlier
):
    # Also after an earlier log-in, which turned off the client's own retries.
    for _ in range(earlier):
        connect(config)
    _refuse_gets(monkeypatch, _status(503), times=2)
    connect(config)
    assert len(nobody) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_status(403, "Earth Engine API has not been used"), "HTTP 403: .*has"),
        (_status(404), "earthengine"),
        (_status(503, "overloaded"), "HTTP 503: .*overloaded"),
        (lambda handler: handler._send(b"<html>"), "Json"),
        (lambda handler: handler._send(b""), "Json"),
    ],
    ids=["forbidden", "absent", "busy", "web page", "empty"],
)
@pytest.mark.parametrize("earlier", [0, 1])
def test_a_server_that_lets_nobody_in_is_one_line(
    monkeypatch, config, answer, message, earlier
):
    for _ in range(earlier):
        connect(config)
    wanted = (
        f"Earth Engine at {config.ee_url} does not let project my-project in: "
        f".*{message}.*; check the project, that it is registered for Earth "
        "Engine, and what --ee_credentials=anonymous"
    )
    with monkeypatch.context() as patch:
        _refuse_gets(patch, answer, times=99)
        with pytest.raises(EarthEngineError, match=wanted) as caught:
            connect(config)
    assert "\n" not in str(caught.value)
    # And later, when it does:
    connect(config)


def test_a_server_that_is_not_there_is_asked_a_few_times_only(config, nobody):
    with pytest.raises(
        EarthEngineError, match="in: ConnectionError: .*refused"
    ):
        connect(dataclasses.replace(config, ee_url="http://127.0.0.1:1"))
    assert len(nobody) == 3
    assert sum(nobody) <= 14


def test_without_application_default_credentials_the_way_out_is_named(config):
    config = dataclasses.replace(config, ee_credentials="application_default")
    with pytest.raises(
        EarthEngineError,
        match="no application default credentials: run `gcloud auth "
        "application-default login --scopes=.*earthengine,.*cloud-platform`, "
        "or give --ee_credentials=service_account",
    ):
        connect(config)


def _check_no_secret(error):
    assert SECRET not in str(error)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert "\n" not in str(error)


def _write(path, content):
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    return str(path)


@pytest.mark.parametrize("content", BROKEN_KEYS.values(), ids=BROKEN_KEYS)
def test_a_broken_key_file_is_named_and_its_content_never(
    config, tmp_path, content
):
    path = _write(tmp_path / "key.json", content)
    config = dataclasses.replace(
        config, ee_credentials="service_account", ee_key_file=path
    )
    with pytest.raises(
        EarthEngineError,
        match=f"--ee_key_file={path} is no readable key of a service account",
    ) as caught:
        connect(config)
    _check_no_secret(caught.value)


@pytest.mark.parametrize("content", BROKEN_KEYS.values(), ids=BROKEN_KEYS)
def test_a_broken_file_of_default_credentials_is_named_and_its_content_never(
    monkeypatch, config, tmp_path, content
):
    path = _write(tmp_path / "adc.json", content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
    config = dataclasses.replace(config, ee_credentials="application_default")
    with pytest.raises(
        EarthEngineError,
        match=f"GOOGLE_APPLICATION_CREDENTIALS={path} names no readable cred.*"
        "; unset it, or name another file",
    ) as caught:
        connect(config)
    _check_no_secret(caught.value)


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_a_key_that_is_no_file_is_named(monkeypatch, config, tmp_path, name):
    path = str(tmp_path / name)
    with pytest.raises(EarthEngineError, match=f"--ee_key_file={path} is no"):
        connect(
            dataclasses.replace(
                config, ee_credentials="service_account", ee_key_file=path
            )
        )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
    with pytest.raises(EarthEngineError, match=f"CREDENTIALS={path} names no"):
        connect(
            dataclasses.replace(config, ee_credentials="application_default")
        )


@pytest.fixture(scope="module")
def private_key():
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def desk(monkeypatch, config):
    """The server gives tokens too; `desk.answers` are its next answers."""

    class Desk:
        url = f"{config.ee_url}/token"
        seen = []  # noqa: RUF012, one desk a test
        authorized = []  # noqa: RUF012
        answers = iter(())

    handler, number = server_module._Handler, itertools.count()
    usual = handler.do_POST

    def do_post(self):
        if self.path != "/token":
            Desk.authorized.append(self.headers["Authorization"])
            usual(self)
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Desk.seen.append(dict(urllib.parse.parse_qsl(body.decode())))
        status, content = next(
            Desk.answers,
            (200, {"access_token": f"t{next(number)}", "expires_in": 3_600}),
        )
        if status != 200:
            self._send_error(status, content)
        else:
            self._send(json.dumps(content).encode())

    monkeypatch.setattr(handler, "do_POST", do_post)
    return Desk


@pytest.fixture
def account(config, desk, tmp_path, private_key):
    """Flags of a service account whose tokens come from the desk."""
    content = {**KEY, "token_uri": desk.url, "private_key": private_key}
    path = _write(tmp_path / "key.json", json.dumps(content))
    return dataclasses.replace(
        config, ee_credentials="service_account", ee_key_file=path
    )


def _ask(client):
    return client.compute_pixels(
        PixelRequest(ee.Image.constant(1), GRID, ("longitude", "latitude"))
    )


def test_a_service_account_signs_in_and_keeps_its_key(
    account, desk, private_key
):
    client = Client(account)
    assert _ask(client).shape == (2, 3)
    (sent,) = desk.seen
    assert set(sent) == {"grant_type", "assertion"}
    assert desk.authorized == ["Bearer t0"]
    middle = private_key.splitlines()[5]
    assert middle not in sent["assertion"]


def test_default_credentials_may_be_a_key_file(monkeypatch, account, desk):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", account.ee_key_file)
    config = dataclasses.replace(
        account, ee_credentials="application_default", ee_key_file=""
    )
    _ask(Client(config))
    assert desk.authorized == ["Bearer t0"]


def test_a_token_that_has_run_out_is_fetched_anew(account, desk):
    client = Client(account)
    credentials = ee.data._get_state().credentials
    _ask(client)
    credentials.expiry = datetime.datetime(2020, 1, 1)  # noqa: DTZ001, theirs
    _ask(client)
    _ask(client)
    assert desk.authorized == ["Bearer t0", "Bearer t1", "Bearer t1"]


def test_a_desk_that_is_busy_is_no_end_of_a_run(account, desk):
    client = Client(account)
    ee.data._get_state().credentials.token = None
    # google.auth itself asks three times in all.
    desk.answers = iter([(503, "busy")] * 4)
    assert _ask(client).shape == (2, 3)
    assert client.counters.read()["retried"] == 1
    desk.answers = iter([(503, "busy")] * 99)
    ee.data._get_state().credentials.token = None
    with pytest.raises(GivenUpError, match="while signing in"):
        _ask(client)


def test_a_desk_that_refuses_the_account_is_the_end(account, desk):
    client = Client(account)
    ee.data._get_state().credentials.token = None
    desk.answers = iter([(400, "invalid_grant: Account not found")] * 9)
    with pytest.raises(StoppedError, match="credentials: .*invalid_grant"):
        _ask(client)
    assert client.counters.read()["requests"] == 1
