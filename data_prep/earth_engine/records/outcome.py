"""What became of a place."""

import dataclasses

# Reasons of places without an answer; `detail` says the rest.
REFUSED = "Earth Engine refuses it"
TOO_LARGE = "too large for one request"
WRONG_ANSWER = "the answer does not fit"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a place.

    Attributes:
      key: Of the place.
      reason: Why there are no answers for it, in few words that can be
        counted; "" where all are there.
      detail: What was said about it, for people.
    """

    key: str
    reason: str = ""
    detail: str = ""

    @property
    def is_done(self) -> bool:
        """True where all answers are there."""
        return not self.reason
