"""The real `ee` client, unpatched, against a server of this machine."""

import concurrent.futures
import dataclasses
import itertools
import threading
import time

import ee
import numpy as np
import pytest
from ee import encodable

from data_prep.earth_engine.asking.client import Client
from data_prep.earth_engine.asking.client import GivenUpError
from data_prep.earth_engine.asking.client import PixelRequest
from data_prep.earth_engine.asking.client import StoppedError
from data_prep.earth_engine.asking.client import read_answer
from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.asking.counters import Counters
from data_prep.earth_engine.asking.fetch import TooLargeError
from data_prep.earth_engine.asking.fetch import fetch_layer
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.recipe import Recipe
from s2distill.errors import AnswerError
from s2distill.geo.grid import Grid
from tests.earth_engine_server import world

GRID = Grid("EPSG:32616", (10.0, 0.0, 737_280.0, 0.0, -10.0, 3_736_640.0), 7, 5)
BANDS = ("f00_B2", "f00_second", "longitude", "latitude")


@pytest.fixture
def server(start_server):
    yield start_server()
    ee.Reset()


@pytest.fixture
def config(server, reach):
    return ClientConfig(**reach(server), max_tries=4)


@pytest.fixture
def make_client(config):
    """Makes a client that notes its sleeps in `client.slept`."""

    def make(**changes):
        slept = []
        keywords = {"sleep": slept.append, "seed": 1}
        for name in ("workers", "counters", "sleep", "seed"):
            if name in changes:
                keywords[name] = changes.pop(name)
        client = Client(dataclasses.replace(config, **changes), **keywords)
        client.slept = slept
        return client

    return make


def _fail_with(monkeypatch, server, *faults):
    """The next pixel requests meet these faults, later ones none."""
    left = itertools.chain(faults, itertools.repeat(None))
    monkeypatch.setattr(server, "draw_fault", lambda: next(left))


def _request(grid=GRID, bands=BANDS):
    return PixelRequest(ee.Image.constant(1), grid, bands)


def _wanted(grid=GRID, bands=BANDS):
    return world.make_answer(
        grid.crs, grid.transform, grid.height, grid.width, bands
    )


def test_pixels_are_those_that_were_asked_for(server, make_client):
    client = make_client()
    server.settings.frames_missing = 0
    np.testing.assert_array_equal(client.compute_pixels(_request()), _wanted())
    (seen,) = server.requests
    assert (seen.crs, seen.affine) == (GRID.crs, GRID.transform)
    assert (seen.height, seen.width, seen.bands) == (7, 5, BANDS)
    body = server.make_body(GRID.crs, GRID.transform, 7, 5, BANDS)
    counted = client.counters.read()
    assert counted.pop("answer_s") > 0
    assert counted == {"requests": 1, "answered": 1, "bytes": len(body)}
    assert client.slept == []


@pytest.mark.parametrize(
    "fault", [408, 409, 429, 500, 502, 503, 504, "cut", "stall"]
)
def test_what_may_pass_is_asked_again_after_a_while(
    monkeypatch, server, make_client, fault
):
    server.settings.frames_missing = 0
    server.settings.stall_s = 1.0
    client = make_client(request_timeout_s=0.3)
    _fail_with(monkeypatch, server, fault, fault)
    np.testing.assert_array_equal(client.compute_pixels(_request()), _wanted())
    assert [seen.status for seen in server.requests] == [fault, fault, 200]
    body = server.make_body(GRID.crs, GRID.transform, 7, 5, BANDS)
    counted = client.counters.read()
    assert counted.pop("answer_s") > 0
    assert counted == {
        "requests": 3,
        "retried": 2,
        "asleep_s": sum(client.slept),
        "answered": 1,
        "bytes": len(body),
    }
    first_s, second_s = client.slept
    assert 0 <= first_s <= 1
    assert 0 <= second_s <= 2


@pytest.mark.parametrize("max_tries", [1, 4])
def test_after_so_many_tries_a_request_is_given_up(
    monkeypatch, server, make_client, max_tries
):
    client = make_client(max_tries=max_tries)
    _fail_with(monkeypatch, server, *[503] * 9)
    with pytest.raises(
        GivenUpError,
        match=rf"HTTP 503: An internal error \(after {max_tries} tries\)",
    ):
        client.compute_pixels(_request())
    assert len(server.requests) == max_tries
    assert len(client.slept) == max_tries - 1
    assert client.counters.read()["requests"] == max_tries


@pytest.mark.parametrize("status", [401, 403])
def test_where_nobody_is_let_in_nothing_is_asked_again(
    monkeypatch, server, make_client, status
):
    client = make_client()
    _fail_with(monkeypatch, server, *[status] * 9)
    with pytest.raises(StoppedError, match="403|cannot be refreshed"):
        client.compute_pixels(_request())
    assert len(server.requests) == 1
    assert client.slept == []


def test_what_is_refused_for_good_is_not_asked_again(server, make_client):
    server.settings.poisoned = (737_280.0,)
    client = make_client()
    with pytest.raises(
        GivenUpError, match="HTTP 400: Image.load: .*'x' not found.$"
    ):
        client.compute_pixels(_request())
    assert len(server.requests) == 1
    other = GRID.cropped(0, 1, 3, 2)
    assert client.compute_pixels(_request(other)).shape == (3, 2)


def test_what_is_too_large_is_said_at_once(server, make_client):
    server.settings.limit_bytes = 7 * 5 * 10 - 1
    client = make_client()
    with pytest.raises(TooLargeError, match="350 bytes. must be less than or"):
        client.compute_pixels(_request())
    many = tuple(f"b{n}" for n in range(1_025))
    with pytest.raises(TooLargeError, match="Too many bands: 1025 > 1024"):
        client.compute_pixels(_request(GRID.cropped(0, 0, 1, 1), many))
    assert [seen.status for seen in server.requests] == [400, 400]
    assert client.slept == []


@pytest.mark.parametrize("fault", [429, 500, "cut"])
def test_pieces_of_a_place_meet_faults_like_any_request(
    monkeypatch, server, make_client, fault
):
    # The answer to the whole is HTTP 400, which a cut line is not.
    (layer,) = make_layers(
        Recipe(bands=("B2", "B8"), frames_before=2, frames_after=0)
    )
    server.settings.frames_missing = 0
    server.settings.limit_bytes = 300
    client = make_client()
    _fail_with(monkeypatch, server, *[None, None, fault] * 9)
    found = fetch_layer(
        layer,
        GRID,
        lambda grid, bands: client.compute_pixels(_request(grid, bands)),
    )
    np.testing.assert_array_equal(found, _wanted(GRID, layer.bands))
    assert client.counters.read()["retried"] >= 3


def test_an_answer_of_another_place_is_asked_for_again(server, make_client):
    client = make_client()
    server.settings.mixed_up = True
    server.settings.frames_missing = 0
    client.compute_pixels(_request())
    other = GRID.cropped(0, 700, 7, 5)
    # First comes the place before it, then this one.
    np.testing.assert_array_equal(
        client.compute_pixels(_request(other)), _wanted(other)
    )
    assert client.counters.read()["requests"] == 3
    assert client.counters.read()["retried"] == 1


def test_a_place_that_never_comes_is_given_up(monkeypatch, server, make_client):
    client = make_client()
    make_body = server.make_body

    def shift(crs, affine, *shape):
        return make_body(crs, (*affine[:5], affine[5] - 320), *shape)

    monkeypatch.setattr(server, "make_body", shift)
    with pytest.raises(
        GivenUpError,
        match=r"AnswerError: the answer for EPSG:32616 .* shows another place:"
        r".*\(after 4 tries\)",
    ):
        client.compute_pixels(_request())
    assert len(server.requests) == 4


NOT_SENT = PixelRequest(None, GRID, BANDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body[:-1], "no whole NPY file: 349 bytes follow"),
        (lambda body: b"<html>", "6 bytes is no whole NPY file"),
        (lambda body: b"", "0 bytes is no whole NPY file"),
    ],
    ids=["cut", "text", "empty"],
)
def test_bodies_that_are_no_answer_are_refused(server, change, message):
    body = server.make_body(GRID.crs, GRID.transform, 7, 5, BANDS)
    with pytest.raises(AnswerError, match=message):
        read_answer(change(body), NOT_SENT)


def test_answers_of_another_size_or_without_a_band_are_refused(server):
    def read(height, width, bands):
        size = height, width
        body = server.make_body(GRID.crs, GRID.transform, *size, bands)
        return read_answer(body, NOT_SENT)

    with pytest.raises(AnswerError, match=r"for \(7, 5\) px, got \(5, 7\)"):
        read(5, 7, BANDS)
    with pytest.raises(AnswerError, match="for 4 bands, latitude did not come"):
        read(7, 5, BANDS[:3])
    with pytest.raises(
        AnswerError, match="f00_B2, f00_second, latitude and 1 more did not"
    ):
        read(7, 5, ("image_day",))
    turned = read(7, 5, BANDS[::-1])["f00_B2"]
    np.testing.assert_array_equal(turned, read(7, 5, BANDS)["f00_B2"])


class SlowImage(encodable.Encodable):
    """Encoding it takes longer than the time in which threads change."""

    def encode_cloud_value(self, encoder):
        time.sleep(0.02)
        return ee.Image.constant(1).encode_cloud_value(encoder)


def test_64_threads_get_each_their_own_place(server, make_client):
    server.settings.frames_missing = 0
    client = make_client(requests_in_flight=64, requests_per_s=1e6)
    grids = [GRID.cropped(7 * (n % 8), 5 * (n // 8), 7, 5) for n in range(64)]
    barrier = threading.Barrier(64)

    def ask(grid):
        barrier.wait(30)
        return client.compute_pixels(PixelRequest(SlowImage(), grid, BANDS))

    with concurrent.futures.ThreadPoolExecutor(64) as threads:
        for grid, found in zip(grids, threads.map(ask, grids), strict=True):
            np.testing.assert_array_equal(found, _wanted(grid))
    # Nor did the guard have to mend anything.
    assert client.counters.read()["requests"] == 64
    assert len({seen.place for seen in server.requests}) == 64


def test_parameters_are_new_each_time_and_the_request_stays_as_it_is():
    request = PixelRequest("graph", GRID, BANDS)
    one, two = request.to_parameters(), request.to_parameters()
    assert one == two
    # What the client and its caller do to what they get.
    one.pop("fileFormat")
    one["bandIds"].clear()
    one["grid"]["dimensions"]["width"] = 0
    one["grid"]["affineTransform"].clear()
    assert request.to_parameters() == two
    assert two["grid"] == {
        "crsCode": "EPSG:32616",
        "dimensions": {"width": 5, "height": 7},
        "affineTransform": {
            "scaleX": 10.0,
            "shearX": 0.0,
            "translateX": 737_280.0,
            "shearY": 0.0,
            "scaleY": -10.0,
            "translateY": 3_736_640.0,
        },
    }


@pytest.mark.parametrize(
    ("in_flight", "workers", "threads"), [(40, 1, 40), (40, 3, 13), (2, 5, 1)]
)
def test_workers_share_the_quota(make_client, in_flight, workers, threads):
    client = make_client(requests_in_flight=in_flight, workers=workers)
    assert client.threads == threads


def test_no_more_requests_are_under_way_than_allowed(server, make_client):
    server.settings.latency_s = 0.02
    client = make_client(requests_in_flight=3, requests_per_s=1e6)
    with concurrent.futures.ThreadPoolExecutor(12) as threads:
        list(threads.map(client.compute_pixels, [_request()] * 24))
    assert server.most_in_flight == 3


def test_requests_begin_at_their_pace(server, make_client):
    client = make_client(requests_per_s=80, workers=2)
    begun_s = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(client.compute_pixels, [_request()] * 9))
    # Half the quota: 40 a second, and eight intervals between nine.
    assert time.monotonic() - begun_s >= 8 / 40 - 0.001


def test_who_waits_to_ask_again_leaves_the_line_to_others(
    monkeypatch, server, make_client
):
    asleep, others_done = threading.Event(), threading.Event()

    def sleep(_):
        asleep.set()
        assert others_done.wait(20)

    client = make_client(requests_in_flight=1, sleep=sleep)
    _fail_with(monkeypatch, server, 503)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        first = threads.submit(client.compute_pixels, _request())
        assert asleep.wait(20)
        client.compute_pixels(_request())
        others_done.set()
        first.result(20)
    assert [seen.status for seen in server.requests] == [503, 200, 200]


def test_waits_depend_on_the_seed_alone(monkeypatch, server, make_client):
    slept = []
    for seed in (1, 1, 2):
        client = make_client(seed=seed)
        _fail_with(monkeypatch, server, 500, 500, 500)
        client.compute_pixels(_request())
        slept.append(client.slept)
    assert slept[0] == slept[1]
    assert not set(slept[0]) & set(slept[2])


def test_counts_go_where_the_caller_wants_them(make_client):
    counters = Counters()
    make_client(counters=counters).compute_pixels(_request())
    assert counters.read()["requests"] == 1


def test_an_error_that_is_a_bug_is_not_asked_again(make_client):
    calls = []

    def fail():
        calls.append(1)
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        make_client().persist(fail)
    assert len(calls) == 1
