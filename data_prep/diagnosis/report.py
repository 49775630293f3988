"""A diagnosis as plain values: what `--json` writes."""

import datetime
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_prep.diagnosis.diagnose import Diagnosis
from data_prep.diagnosis.finding import count_severities
from data_prep.diagnosis.measure import PERCENTILES
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.measured import Measured
from data_prep.diagnosis.subject import RecordFacts

_MOST_FRAMES = 1000


def make_report(diagnosis: Diagnosis) -> dict[str, Any]:
    """Plain values, ready for JSON.

    Keys that other programs read: kind, records, shape, bands, crs,
    transform, frames, nan_share, findings (code, severity, message, where).
    Findings are faults; what is only worth knowing stands in notes, so that
    good data has no finding.
    """
    measured = diagnosis.measured
    subject = measured.subject
    looks = list(measured.looks())
    report = {
        "input": subject.source,
        "kind": subject.kind,
        "records": subject.records,
        "looked_at": subject.looked_at,
        "shape": list(subject.shape),
        "bands": list(subject.bands),
        "crs": subject.crs,
        "transform": list(subject.transform) if subject.transform else None,
        "pixel_m": subject.pixel_m,
        "frames": subject.frames,
        "nan_share": nan_share(measured),
        "clear_share": clear_share(looks),
        "levels": sorted({k.frame.product_level for k in looks} - {""}),
        "offsets_dn": sorted({k.frame.offset_dn for k in looks}),
        "quantifications_dn": sorted(
            {k.frame.quantification_dn for k in looks}
        ),
        "scales": sorted({k.facts.scale for k in looks}),
        "dtypes": sorted({str(k.frame.values.dtype) for k in looks}),
        "times": _times(looks),
        "frame_facts": [_frame(look) for look in looks[:_MOST_FRAMES]],
        "bands_against_statistics": [
            {
                "band": d.band,
                "centre_scales": d.centre_scales,
                "spread_ratio": d.spread_ratio,
                "clipped_share": d.clipped_share,
            }
            for d in diagnosis.distances
        ],
        "statistics_of": diagnosis.statistics_of,
        "fits_model": None if diagnosis.fit is None else diagnosis.fit.fits,
        "fit": None if diagnosis.fit is None else diagnosis.fit.sentence,
        "counts": count_severities(diagnosis.findings),
        "findings": [f.to_json() for f in diagnosis.findings if f.is_fault],
        "notes": [f.to_json() for f in diagnosis.findings if not f.is_fault],
    }
    if subject.record_facts is not None:
        report.update(_record_keys(subject.record_facts))
    if subject.columns:
        report["columns"] = [
            {
                "name": c.name,
                "kind": c.kind,
                "count": c.count,
                "missing": c.missing,
                "percentiles": list(c.percentiles),
                "distinct": c.distinct,
            }
            for c in subject.columns
        ]
    return _without_nan(report)


def nan_share(measured: Measured) -> float:
    """Share of NaN among all values that were looked at."""
    if measured.subject.nan_share is not None:
        return measured.subject.nan_share
    shares = [k.facts.nan_share for k in measured.looks()]
    sizes = [k.frame.values.size for k in measured.looks()]
    return float(np.average(shares, weights=sizes)) if shares else 0.0


def clear_share(looks: Sequence[Look]) -> float | None:
    """Mean clear share of the frames; None where it cannot be told."""
    shares = [k.clear_share for k in looks if k.clear_share is not None]
    return float(np.mean(shares)) if shares else None


def format_time(time_utc_s: int | None) -> str:
    """A date and time, ISO 8601; "" for None."""
    if time_utc_s is None:
        return ""
    moment = datetime.datetime.fromtimestamp(time_utc_s, datetime.UTC)
    return moment.isoformat()


def _times(looks: Sequence[Look]) -> list[str]:
    """First and last time of all frames; [] where no time is known."""
    known = [k.frame.time_utc_s for k in looks if k.frame.time_utc_s]
    return [format_time(min(known)), format_time(max(known))] if known else []


def _frame(look: Look) -> dict[str, Any]:
    facts, frame = look.facts, look.frame
    alignment = look.alignment
    return {
        "name": facts.name,
        "time": format_time(frame.time_utc_s),
        "level": frame.product_level,
        "offset_dn": frame.offset_dn,
        "quantification_dn": frame.quantification_dn,
        "scale": facts.scale,
        "seen_share": facts.seen_share,
        "clear_share": look.clear_share,
        "nan_share": facts.nan_share,
        "black_share": facts.black_share,
        "minimum": facts.minimum,
        "maximum": facts.maximum,
        "shift_px": [alignment.row_px, alignment.col_px]
        if alignment is not None
        else None,
        "correlation": alignment.correlation if alignment else None,
        "percentiles": {
            band: dict(
                zip(
                    (f"p{p:g}" for p in PERCENTILES),
                    facts.percentiles[i].tolist(),
                    strict=True,
                )
            )
            for i, band in enumerate(facts.bands)
        },
    }


def _record_keys(facts: RecordFacts) -> dict[str, Any]:
    labels = facts.labels
    return {
        "directories": list(facts.directories),
        "fields": list(facts.fields),
        "tile_px": list(facts.tile_px),
        "label_factor": facts.label_factor,
        "splits": facts.counts,
        "split_rule": facts.split_rule,
        "dropped": facts.dropped,
        "labels": None
        if labels is None
        else {
            "records": labels.records,
            "labelled_share": labels.labelled_share,
            "building_share": labels.building_share,
            "road_share": labels.road_share,
            "buildings": labels.buildings,
        },
    }


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: None stands for it."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
