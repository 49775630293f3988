"""Does an input fit a model? By the model's card, in one plain sentence."""

import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.level_findings import judge_level
from data_prep.diagnosis.measured import Measured
from data_prep.diagnosis.subject import Subject
from s2distill.data.bands import S2_BANDS
from s2distill.serving.card import ModelCard
from s2distill.serving.card import read_card

_PIXEL_TOLERANCE = 0.15
_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class ModelFit:
    """The answer to "does it fit?".

    Attributes:
      fits: False if the model's answers would be wrong.
      sentence: The same in plain words, with the reasons.
    """

    fits: bool
    sentence: str


def read_model_card(directory: str) -> ModelCard:
    """The card in the folder of a SavedModel; ModelError if there is none."""
    return read_card(directory)


def find_misfits(measured: Measured, card: ModelCard) -> Iterator[Finding]:
    """Where the input is not what the model was trained on."""
    subject = measured.subject
    if not card.takes_frames:
        yield from _find_teacher_misfits(subject, card)
        return
    if subject.kind in ("image", "earth_engine_table"):
        what = "an image" if subject.kind == "image" else "a table"
        yield Finding(
            "model_kind",
            "error",
            f"the model is a {card.kind} and takes Sentinel-2 frames, the "
            f"input is {what}; give it frames",
        )
        return
    yield from _find_bands(subject, card)
    if not set(subject.bands) & set(S2_BANDS):
        return
    yield from _find_level(measured, card)
    yield from _find_scale(measured, card)
    yield from _find_frames(measured, card)
    yield from _find_pixel(subject, card.gsd_m)
    facts = subject.record_facts
    if facts is not None and facts.label_factor != card.label_factor:
        yield Finding(
            "model_label_factor",
            "warning",
            f"the records have {facts.label_factor} label pixels per pixel "
            f"and axis, the model answers {card.label_factor}: its answers "
            "cannot be scored on them; write the records again",
        )


def judge_fit(
    findings: Iterable[Finding], card: ModelCard, model: str
) -> ModelFit:
    """One sentence of all findings.

    Args:
      findings: Of the input, those of `find_misfits` among them.
      card: Of the model.
      model: What the user calls it.
    """
    findings = list(findings)
    errors = [f for f in findings if f.severity == "error"]
    warnings = [f for f in findings if f.severity == "warning"]
    what = f"the model {model} ({_describe(card)})"
    if errors:
        return ModelFit(
            False, f"This input does not fit {what}: {_reasons(errors)}."
        )
    if warnings:
        return ModelFit(
            True, f"This input fits {what}, but beware: {_reasons(warnings)}."
        )
    return ModelFit(True, f"This input fits {what}.")


def _describe(card: ModelCard) -> str:
    if not card.takes_frames:
        return f"{card.kind}, images of {card.label_gsd_m:g} m"
    return (
        f"{card.kind}, {card.product_level}, {len(card.bands)} bands, "
        f"trained on {card.frames} frames"
    )


def _reasons(findings: Sequence[Finding]) -> str:
    first = [f.message.partition(";")[0] for f in findings[:_SHOWN]]
    more = len(findings) - _SHOWN
    return "; ".join(first) + (f"; and {more} more" if more > 0 else "")


def _find_teacher_misfits(
    subject: Subject, card: ModelCard
) -> Iterator[Finding]:
    if subject.kind == "records":
        if "image" not in subject.record_facts.fields:
            yield Finding(
                "model_kind",
                "error",
                "the model is a teacher and takes 50 cm images, these records "
                "hold none; write them again with --image",
            )
        return
    if subject.kind != "image":
        yield Finding(
            "model_kind",
            "error",
            "the model is a teacher and takes 50 cm images, the input is "
            f"{subject.kind}; give it an image",
        )
        return
    yield from _find_pixel(subject, card.label_gsd_m)


def _find_bands(subject: Subject, card: ModelCard) -> Iterator[Finding]:
    missing = [band for band in card.bands if band not in subject.bands]
    if not missing:
        return
    unknown = not set(subject.bands) & set(S2_BANDS)
    yield Finding(
        "model_bands",
        "error",
        f"the input lacks {', '.join(missing)}, which the model needs; it has "
        f"{name_some(subject.bands, 13)}; "
        + (
            "say with --file_bands which is which"
            if unknown
            else "fetch those bands too, or take a model of fewer"
        ),
        tuple(missing),
    )


def _find_level(measured: Measured, card: ModelCard) -> Iterator[Finding]:
    levels = {k.frame.product_level for k in measured.looks()} - {""}
    told = "is"
    if not levels:
        judged = [judge_level(k) for k in measured.looks()]
        levels = {verdict[0] for verdict in judged if verdict is not None}
        surely = all(how == "sure" for _, how in filter(None, judged))
        told = "is, by its numbers," if surely else "looks like"
    others = sorted(levels - {card.product_level})
    if others:
        yield Finding(
            "model_level",
            "warning" if told == "looks like" else "error",
            f"the model was trained on {card.product_level}, the input {told} "
            f"{' and '.join(others)}; fetch {card.product_level}, or take a "
            f"model of {others[0]}",
        )


def _find_scale(measured: Measured, card: ModelCard) -> Iterator[Finding]:
    wanted = (card.quantification_dn, card.offset_dn)
    odd = {
        (k.frame.quantification_dn, k.frame.offset_dn)
        for k in measured.looks()
        if k.facts.scale == "dn"
    } - {wanted}
    if odd:
        quantification, offset = sorted(odd)[0]
        yield Finding(
            "model_scale",
            "error",
            "the model was trained on (quantification, offset) "
            f"({wanted[0]:g}, {wanted[1]:g}) DN, the input is said to have "
            f"({quantification:g}, {offset:g}); convert it, or state the "
            "offset that it truly has (--offset_dn, tag OFFSET_DN)",
        )
    floats = any(k.facts.scale == "reflectance" for k in measured.looks())
    if floats and not measured.subject.kind.startswith("geotiff"):
        yield Finding(
            "model_scale",
            "error",
            "the model wants digital numbers, the input holds reflectance of "
            f"0 to 1; multiply by {card.quantification_dn:g}"
            + (f" and add {-card.offset_dn:g}" if card.offset_dn else ""),
        )


def _find_frames(measured: Measured, card: ModelCard) -> Iterator[Finding]:
    if not measured.places or card.frames < 1:
        return
    there = int(np.median([len(place.looks) for place in measured.places]))
    shown = [
        sum(k.facts.seen_px > 0 for k in place.looks)
        for place in measured.places
    ]
    typical = int(np.median(shown))
    if not any(shown):
        yield Finding(
            "model_no_frame",
            "error",
            "no frame shows anything; give frames with a clear pixel",
        )
    elif there < card.frames or typical < card.frames / 2:
        few = min(there, typical) < card.frames / 2
        yield Finding(
            "model_frames",
            "warning" if few else "note",
            f"the model was trained on {card.frames} frames of a place, here "
            f"are {there}, of which {typical} show anything; any number is "
            "taken, and fewer give blurred, less certain answers: add dates",
        )


def _find_pixel(subject: Subject, wanted_m: float) -> Iterator[Finding]:
    size = subject.pixel_m
    if size is None:
        return
    if abs(size / wanted_m - 1) > _PIXEL_TOLERANCE:
        yield Finding(
            "model_pixel",
            "warning",
            f"pixels of {size:.3g} m, the model was trained on {wanted_m:g} "
            "m: houses would be of another size to it; warp the input to "
            f"{wanted_m:g} m (gdalwarp -tr)",
        )
