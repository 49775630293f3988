"""What the doctor says: one finding a fault, with the way out."""

import dataclasses
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Finding:
    """One fault, or one thing worth knowing.

    Attributes:
      code: Name for programs, such as "black_frame".
      severity: "error": what is made of this input will be wrong; "warning":
        probably, or in part; "note": no fault.
      message: One line in plain words: what, where, the number, the way out.
      where: All frames, files or records that are meant; the message names
        the first few.
    """

    code: str
    severity: Severity
    message: str
    where: tuple[str, ...] = ()

    @property
    def is_fault(self) -> bool:
        """False for what is only worth knowing."""
        return self.severity != "note"

    def to_json(self) -> dict[str, Any]:
        """Plain values for the JSON report."""
        return {**dataclasses.asdict(self), "where": list(self.where)}


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first; equals stay in the order given."""
    return tuple(sorted(findings, key=lambda f: SEVERITIES.index(f.severity)))


def count_severities(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many findings there are of each severity."""
    found = [finding.severity for finding in findings]
    return {severity: found.count(severity) for severity in SEVERITIES}


def name_some(names: Sequence[str], shown: int = _SHOWN) -> str:
    """The first few names: "a, b, c and 5 more"."""
    text = ", ".join(names[:shown])
    rest = len(names) - shown
    return f"{text} and {rest} more" if rest > 0 else text


def count_frames(
    names: Sequence[str], total: int, verbs: tuple[str, str] = ("lies", "lie")
) -> str:
    """How many of how many do what: "1 of 7 frames lies", "2 of 7 frames lie".

    Args:
      names: Of those that are meant.
      total: Number of all.
      verbs: Singular and plural.
    """
    return f"{len(names)} of {total} frames {verbs[len(names) != 1]}"


def percent(share: float) -> str:
    """A share of 1 as text; what is neither none nor all never reads so."""
    if 0 < share < 0.01:
        return f"{100 * share:.2g} %"
    if 0.99 < share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"
