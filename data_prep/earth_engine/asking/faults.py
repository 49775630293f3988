"""What a failed request means, and how long to wait before the next try."""

import dataclasses
import enum
import math
import random

import googleapiclient.errors

from s2distill.errors import AnswerError


class Verdict(enum.Enum):
    """What to do about a failed request."""

    RETRY = "ask again later"
    SPLIT = "ask for less at a time"
    TIMED_OUT = "ask for less at a time, but not often: each try takes minutes"
    GIVE_UP = "the same would come again"
    STOP = "no request can succeed"


# What Earth Engine says of answers or computations that are too large.
_TOO_LARGE = (
    "total request size",
    "must be less than or equal to 50331648",
    "too many bands",
    "user memory limit exceeded",
    "output of image computation is too large",
)
_TIMED_OUT = "computation timed out"
_RETRY_STATUS = {408, 409, 429}
_STOP_STATUS = {401, 403}
BASE_WAIT_S = 1.0
LONGEST_WAIT_S = 64.0
_DOUBLINGS = 30  # more than enough, and a float holds it


@dataclasses.dataclass(frozen=True)
class Fault:
    """A failed request, understood.

    Attributes:
      verdict: What to do.
      reason: One line for people, such as "HTTP 429: Too Many Requests".
      retry_after_s: What the service asked to wait; 0 if nothing.
    """

    verdict: Verdict
    reason: str
    retry_after_s: float = 0.0


def read_fault(error: Exception) -> Fault:
    """Understands what a call of the `ee` client raised.

    The client turns HTTP errors into `EEException`s that hold only a text;
    the HTTP error with its status is their context.
    """
    text = " ".join(str(error).split())
    http = _find_http_error(error)
    if http is None:
        if isinstance(error, (ConnectionError, TimeoutError, AnswerError)):
            return Fault(Verdict.RETRY, f"{type(error).__name__}: {text}")
        verdict = _find_split(text)
        if verdict is not None:
            return Fault(verdict, text)
        return Fault(Verdict.GIVE_UP, f"{type(error).__name__}: {text}")
    status = int(http.resp.status)
    reason = f"HTTP {status}: {text}"
    verdict = _find_split(text)
    if verdict is not None:
        return Fault(verdict, reason)
    if status in _RETRY_STATUS or status >= 500:
        return Fault(Verdict.RETRY, reason, _read_retry_after(http))
    if status in _STOP_STATUS:
        return Fault(Verdict.STOP, reason)
    return Fault(Verdict.GIVE_UP, reason)


def wait_s(tries: int, fault: Fault, draw: random.Random) -> float:
    """Seconds to wait after so many failed tries.

    "Full jitter": anything between 0 and a ceiling that doubles, so that
    many threads that failed together do not come back together; never less
    than what the service asked for.

    Args:
      tries: Failed ones so far, at least 1.
      fault: The last failure.
      draw: Source of chance.

    Source:
      AWS Architecture Blog, Exponential Backoff And Jitter, 2015.
    """
    doublings = min(tries - 1, _DOUBLINGS)
    ceiling = min(LONGEST_WAIT_S, BASE_WAIT_S * 2.0**doublings)
    return max(fault.retry_after_s, draw.uniform(0, ceiling))


def _find_split(text: str) -> Verdict | None:
    """How to ask for less, if that is what the service wants."""
    if _TIMED_OUT in text.lower():
        return Verdict.TIMED_OUT
    if any(words in text.lower() for words in _TOO_LARGE):
        return Verdict.SPLIT
    return None


def _find_http_error(
    error: Exception,
) -> googleapiclient.errors.HttpError | None:
    """The error itself, or what the client made it of.

    Not further down the chain: there stand errors that somebody was handling
    meanwhile, such as the answer to a larger request.
    """
    for found in (error, error.__context__):
        if isinstance(found, googleapiclient.errors.HttpError):
            return found
    return None


def _read_retry_after(error: googleapiclient.errors.HttpError) -> float:
    try:
        seconds = float(error.resp.get("retry-after", 0))
    except ValueError:  # a date: rare, and the back-off is enough
        return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
