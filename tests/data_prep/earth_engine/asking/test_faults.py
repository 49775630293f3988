"""What errors mean: as the `ee` client raises them, from HTTP answers."""

import json
import random

import ee
import googleapiclient.errors
import httplib2
import numpy as np
import pytest

from data_prep.earth_engine.asking.faults import Fault
from data_prep.earth_engine.asking.faults import Verdict
from data_prep.earth_engine.asking.faults import read_fault
from data_prep.earth_engine.asking.faults import wait_s
from s2distill.errors import AnswerError
from s2distill.errors import EarthEngineError


def _refuse(status, message, **headers):
    """Raises what `ee.data` raises after an HTTP answer."""
    body = json.dumps({"error": {"code": status, "message": message}})
    answer = httplib2.Response({"status": str(status), **headers})
    try:
        raise googleapiclient.errors.HttpError(answer, body.encode())
    except googleapiclient.errors.HttpError as error:
        # As ee.data._execute_cloud_call: no cause, only a context.
        raise ee.EEException(error._get_reason())  # noqa: B904


def _fail_while_handling(fail, status, message):
    try:
        _refuse(status, message)
    except ee.EEException:
        fail()


def _translate(*args, **headers):
    with pytest.raises(ee.EEException) as caught:
        _refuse(*args, **headers)
    return caught.value


@pytest.mark.parametrize(
    ("status", "message", "verdict"),
    [
        (400, "Image.load: Image asset 'x' not found.", Verdict.GIVE_UP),
        (400, "Request payload size exceeds the limit", Verdict.GIVE_UP),
        (404, "Not found.", Verdict.GIVE_UP),
        (401, "Request had invalid authentication credentials.", Verdict.STOP),
        (403, "Caller does not have required permission", Verdict.STOP),
        (408, "Request Timeout", Verdict.RETRY),
        (409, "Conflict", Verdict.RETRY),
        (
            429,
            "Too Many Requests: Request was rejected because the request "
            "rate or concurrency limit has been exceeded.",
            Verdict.RETRY,
        ),
        (500, "An internal error has occurred", Verdict.RETRY),
        (502, "Bad Gateway", Verdict.RETRY),
        (503, "The service is currently unavailable.", Verdict.RETRY),
        (504, "Deadline exceeded", Verdict.RETRY),
        (400, "User memory limit exceeded.", Verdict.SPLIT),
        (400, "Computation timed out.", Verdict.TIMED_OUT),
        (503, "Computation timed out.", Verdict.TIMED_OUT),
        (400, "Too many bands: 1030 > 1024", Verdict.SPLIT),
        (
            400,
            "Total request size (50331700 bytes) must be less than or equal "
            "to 50331648 bytes.",
            Verdict.SPLIT,
        ),
        (
            400,
            "Output of image computation is too large (20 bands for 4194304 "
            "pixels = 640.0 MiB > 80.0 MiB).",
            Verdict.SPLIT,
        ),
    ],
)
def test_what_the_service_says_is_understood(status, message, verdict):
    fault = read_fault(_translate(status, message))
    assert fault == Fault(verdict, f"HTTP {status}: {message}")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ConnectionError("Connection aborted."), Verdict.RETRY),
        (ConnectionResetError(104, "reset by peer"), Verdict.RETRY),
        (TimeoutError("no answer for 300 s"), Verdict.RETRY),
        (AnswerError("shows another place"), Verdict.RETRY),
        (ee.EEException("User memory limit exceeded."), Verdict.SPLIT),
        (ee.EEException("Computation timed out."), Verdict.TIMED_OUT),
        (ee.EEException("Image.bands: no bands"), Verdict.GIVE_UP),
        (PermissionError(13, "denied"), Verdict.GIVE_UP),
        (EarthEngineError("something else"), Verdict.GIVE_UP),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_without_an_answer_are_understood(error, verdict):
    fault = read_fault(error)
    assert fault.verdict is verdict
    assert str(error) in fault.reason
    assert fault.retry_after_s == 0


def test_an_answer_of_another_place_is_no_answer_that_is_too_large():
    error = AnswerError("its longitude is 'too many bands'")
    assert read_fault(error).verdict is Verdict.RETRY


@pytest.mark.parametrize(
    "error",
    [ConnectionError("cut"), TimeoutError("silence"), AnswerError("elsewhere")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("status", [400, 403])
def test_a_fault_met_while_handling_another_is_its_own(error, status):
    # Python chains errors: one that is raised while another is handled, for
    # example while a request that was too large is asked for in pieces, has
    # that other one, and its HTTP answer, as its context.
    def fail():
        raise error

    with pytest.raises(type(error)) as caught:
        _fail_while_handling(
            fail, status, "must be less than or equal to 50331648"
        )
    assert isinstance(caught.value.__context__, ee.EEException)
    fault = read_fault(caught.value)
    assert fault.verdict is Verdict.RETRY
    assert fault.reason == f"{type(error).__name__}: {error}"


def test_an_error_of_the_client_met_while_handling_another_is_its_own():
    with pytest.raises(ee.EEException) as caught:
        _fail_while_handling(lambda: _refuse(503, "second"), 400, "first")
    fault = read_fault(caught.value)
    assert fault == Fault(Verdict.RETRY, "HTTP 503: second")


def test_an_http_error_that_the_client_did_not_translate_is_read_too():
    # The discovery document is fetched without `ee.data`.
    error = _translate(403, "Earth Engine API has not been used").__context__
    assert isinstance(error, googleapiclient.errors.HttpError)
    fault = read_fault(error)
    assert fault.verdict is Verdict.STOP
    assert fault.reason.startswith("HTTP 403: ")
    assert "Earth Engine API has not been used" in fault.reason


def test_a_reason_is_one_line():
    fault = read_fault(_translate(400, "Image.select:\n  Band\t'x'\nis absent"))
    assert fault.reason == "HTTP 400: Image.select: Band 'x' is absent"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("inf", 0.0),
        ("nan", 0.0),
    ],
)
def test_what_the_service_asks_to_wait_is_read(value, expected):
    error = _translate(429, "Too Many Requests", **{"retry-after": value})
    assert read_fault(error).retry_after_s == expected


@pytest.mark.parametrize(
    ("tries", "ceiling_s"),
    [(1, 1), (2, 2), (3, 4), (4, 8), (6, 32), (7, 64), (8, 64), (5_000, 64)],
)
def test_waits_fill_the_range_from_nothing_to_a_ceiling_that_doubles(
    tries, ceiling_s
):
    draw = random.Random(3)
    fault = Fault(Verdict.RETRY, "")
    waits = [wait_s(tries, fault, draw) for _ in range(4_000)]
    assert 0 <= min(waits) < 0.01 * ceiling_s
    assert 0.99 * ceiling_s < max(waits) <= ceiling_s
    # Uniform: mean c/2, deviation of the mean of 4,000 c/sqrt(12 * 4,000).
    assert np.mean(waits) == pytest.approx(ceiling_s / 2, abs=0.02 * ceiling_s)


def test_two_clients_do_not_come_back_together():
    fault = Fault(Verdict.RETRY, "")
    one, two = (
        [wait_s(n, fault, random.Random(seed)) for n in range(1, 9)]
        for seed in (1, 2)
    )
    assert not set(one) & set(two)


def test_nobody_comes_back_sooner_than_the_service_asked():
    draw = random.Random(3)
    fault = Fault(Verdict.RETRY, "", retry_after_s=20.0)
    assert {wait_s(1, fault, draw) for _ in range(50)} == {20.0}
    long = [wait_s(7, fault, draw) for _ in range(200)]
    assert min(long) == 20.0
    assert max(long) > 60
