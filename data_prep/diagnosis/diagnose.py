"""Runs every family of findings over a measured input."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from data_prep.diagnosis.band_findings import find_band_faults
from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import sort_findings
from data_prep.diagnosis.level_findings import find_level_faults
from data_prep.diagnosis.measured import Measured
from data_prep.diagnosis.measured import measure_subject
from data_prep.diagnosis.offset_findings import find_offset_faults
from data_prep.diagnosis.pixel_findings import find_pixel_faults
from data_prep.diagnosis.record_findings import find_record_faults
from data_prep.diagnosis.scale_findings import find_scale_faults
from data_prep.diagnosis.shift_findings import find_shifts
from data_prep.diagnosis.statistics_findings import BandDistance
from data_prep.diagnosis.statistics_findings import find_statistics_faults
from data_prep.diagnosis.statistics_findings import measure_distance
from data_prep.diagnosis.subject import Subject

if TYPE_CHECKING:
    from data_prep.diagnosis.model_fit import ModelFit
    from s2distill.data.normalize import BandStatistics

# Found by several families: the first tells the cause, the others follow.
_SCALES = ("eight_bit", "reflectance_as_dn")
_FOLLOWS = {
    "black_frame": ("reflectance_as_dn",),
    "constant_frame": ("reflectance_as_dn",),
    "wrong_scale": _SCALES,
    "offset_frame": (*_SCALES, "wrong_scale"),
    "offset_suspected": (*_SCALES, "wrong_scale"),
    "band_order": ("reflectance_as_dn",),
    "unlike_statistics": (*_SCALES, "wrong_scale", "band_order"),
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Diagnosis:
    """All that the doctor knows of an input.

    Attributes:
      measured: The input with its numbers.
      findings: Errors first.
      fit: Whether it fits the model; None without one.
      statistics: What the values were compared with; None without any.
      statistics_of: What those are of.
      distances: Of each band from them.
    """

    measured: Measured
    findings: tuple[Finding, ...]
    fit: "ModelFit | None"
    statistics: "BandStatistics | None"
    statistics_of: str
    distances: tuple[BandDistance, ...]


def diagnose(subject: Subject, model: str = "") -> Diagnosis:
    """Measures an input and says what is wrong with it.

    Args:
      subject: The input, opened.
      model: Folder of a SavedModel that it is meant for; "" for none.

    Raises:
      ModelError: If the folder has no model card.
    """
    card = None
    if model:
        from data_prep.diagnosis.model_fit import read_model_card

        card = read_model_card(model)
    measured = measure_subject(subject)
    statistics, whose = subject.statistics, "the statistics beside the records"
    if card is not None and card.takes_frames:
        statistics, whose = card.statistics, "the model's training statistics"
    findings = [
        *subject.findings,
        *find_everything(measured, statistics, whose),
    ]
    fit = None
    if card is not None:
        from data_prep.diagnosis.model_fit import find_misfits
        from data_prep.diagnosis.model_fit import judge_fit

        findings += find_misfits(measured, card)
        fit = judge_fit(sort_findings(findings), card, model)
    return Diagnosis(
        measured=measured,
        findings=sort_findings(findings),
        fit=fit,
        statistics=statistics,
        statistics_of=whose if statistics is not None else "",
        distances=measure_distance(measured, statistics)
        if statistics is not None
        else (),
    )


def find_everything(
    measured: Measured, statistics: "BandStatistics | None", whose: str
) -> list[Finding]:
    """The findings of every family, without those that only follow others.

    Args:
      measured: The input with its numbers.
      statistics: What the values should look like; None if unknown.
      whose: What the statistics are of, for messages.
    """
    found = list(_find(measured, statistics, whose))
    codes = {finding.code for finding in found}
    return [f for f in found if not codes & set(_FOLLOWS.get(f.code, ()))]


def _find(
    measured: Measured, statistics: "BandStatistics | None", whose: str
) -> Iterator[Finding]:
    yield from find_pixel_faults(measured)
    yield from find_scale_faults(measured)
    yield from find_level_faults(measured)
    yield from find_offset_faults(measured)
    yield from find_band_faults(measured, statistics, whose)
    yield from find_shifts(measured)
    yield from find_statistics_faults(measured, statistics, whose)
    yield from find_record_faults(measured.subject)
