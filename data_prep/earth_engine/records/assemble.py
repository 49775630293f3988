"""The answers for a place become one record."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_prep.earth_engine.layers import BASELINE
from data_prep.earth_engine.layers import FRAME_SCORE
from data_prep.earth_engine.layers import HEIGHT_M
from data_prep.earth_engine.layers import LABEL_FACTOR
from data_prep.earth_engine.layers import VIEW_DEG
from data_prep.earth_engine.layers import VIEW_UNKNOWN
from data_prep.earth_engine.layers import WEAK_COUNT
from data_prep.earth_engine.layers import WEAK_PRESENCE
from data_prep.earth_engine.layers import frame_band
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.recipe import Recipe
from data_prep.rasterize import CENTROID_SIGMA_M
from data_prep.rasterize import make_centroid_density
from s2distill.data.bands import S2_QUANTIFICATION_DN
from s2distill.data.schema import RecordSpec
from s2distill.errors import AnswerError

OUTSIDE_IMAGE = "outside the image"
NO_VALID_FRAME = "no valid frame"
NO_LABELLED_GROUND = "no labelled ground"
NO_WEAK_LABELS = "no weak labels"
HELD_OUT_WITHOUT_LABELS = "in a held-out block, and there are no labels"
# Asked again, such a place would answer the same.
FOR_GOOD = (
    OUTSIDE_IMAGE,
    NO_VALID_FRAME,
    NO_LABELLED_GROUND,
    NO_WEAK_LABELS,
)
S2_PIXEL_M = 10.0
_DAY_S = 86_400
_WEAK_ANSWERS = ("building", "height")  # of a teacher; no roads


def make_spec(recipe: Recipe, tile_px: int) -> RecordSpec:
    """What all records of a recipe have in common."""
    return RecordSpec(
        bands=recipe.bands,
        tile_px=tile_px,
        label_factor=LABEL_FACTOR,
        fields=recipe.record_fields,
        product_level=recipe.product_level,
        quantification_dn=float(S2_QUANTIFICATION_DN),
        offset_dn=0.0,  # HARMONIZED collections have it taken off
        teacher_answers=_WEAK_ANSWERS if recipe.weak_labels else (),
    )


def make_example(
    place: Place, recipe: Recipe, answers: Mapping[str, np.ndarray]
) -> dict[str, Any] | str:
    """The record of a place, or the reason why there is none.

    Args:
      place: Whose answers they are.
      recipe: What was asked for.
      answers: [H, W] structured answer of each layer by name.

    Returns:
      A record as `s2distill.data.schema` lists it, without frames on which
      nothing is valid; or why there is none, in few words.

    Raises:
      AnswerError: A frame that says two things of itself.
    """
    fine = answers.get("fine")
    image_valid = None
    if recipe.image:
        image_valid = fine["image_valid"]
        seen = float(image_valid.mean())
        if seen == 0 or seen < recipe.min_image_share:
            return OUTSIDE_IMAGE
    stack, frames = _read_frames(place, recipe, answers["s2"])
    if not frames:
        return NO_VALID_FRAME
    example: dict[str, Any] = {"key": place.key, "s2": stack}
    facts: dict[str, Any] = {"source": "Earth Engine", "frames": frames}
    if image_valid is not None:
        example["image"] = _make_image(recipe, fine)
        facts["image_days_since_1970"] = _read_image_days(fine)
    if recipe.label_fields:
        example["label"] = _make_labels(recipe, fine, image_valid)
        if not example["label"]["valid"].any():
            return NO_LABELLED_GROUND
    if recipe.weak_labels:
        example["teacher"] = _make_weak_labels(fine)
        if not example["teacher"]["valid"].any():
            return NO_WEAK_LABELS
    example["meta"] = {
        "crs": place.grid.crs,
        "transform": np.array(place.grid.transform, np.float64),
        "product_level": recipe.product_level,
        "quantification_dn": np.float32(S2_QUANTIFICATION_DN),
        "offset_dn": np.float32(0),
        "provenance": json.dumps(facts, sort_keys=True),
    }
    return example


def _read_frames(
    place: Place, recipe: Recipe, answer: np.ndarray
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """The stack of frames that show ground, and what is known of each."""
    dn, valid, times, facts = [], [], [], []
    for number in range(recipe.frames):
        seen = answer[frame_band(number, "valid")].astype(np.uint8)
        if not seen.any():
            continue
        scalars = {
            name: _read_scalar(place, answer[frame_band(number, name)], name)
            for name in ("day", "second", "orbit", "baseline", "score")
        }
        planes = [answer[frame_band(number, b)] for b in recipe.bands]
        dn.append(np.stack(planes, axis=-1) * seen[..., None].astype(np.uint16))
        valid.append(seen)
        times.append(scalars["day"] * _DAY_S + scalars["second"])
        facts.append(
            {
                "orbit": scalars["orbit"],
                "baseline": round(scalars["baseline"] * BASELINE, 2),
                "clear_score": round(scalars["score"] * FRAME_SCORE, 4),
            }
        )
    if not facts:
        return {}, []
    stack = {
        "image": np.stack(dn),
        "valid": np.stack(valid),
        "time_utc_s": np.array(times, np.int64),
    }
    return stack, facts


def _read_scalar(place: Place, plane: np.ndarray, name: str) -> int:
    value = int(plane.flat[0])
    if (plane != value).any():
        raise AnswerError(
            f"{place.key}: the {name} of a frame goes from {plane.min()} to "
            f"{plane.max()}; a frame has one"
        )
    return value


def _make_image(recipe: Recipe, fine: np.ndarray) -> dict[str, Any]:
    valid = fine["image_valid"].astype(np.uint8)
    planes = [fine[name] for name in ("red", "green", "blue")]
    image: dict[str, Any] = {
        "rgb": np.stack(planes, axis=-1) * valid[..., None],
        "valid": valid,
    }
    if recipe.view_angle_property:
        for name in ("view_angle", "view_azimuth"):
            image[f"{name}_deg"] = _read_view(fine[name][valid > 0])
    return image


def _read_view(units: np.ndarray) -> np.float32:
    """Degrees, NaN if unknown; of two images that of the larger part.

    No mean: between azimuths of 359 and 1 degrees lies 180.
    """
    most = int(np.bincount(units).argmax())
    return np.float32(np.nan if most == VIEW_UNKNOWN else most * VIEW_DEG)


def _read_image_days(fine: np.ndarray) -> list[int]:
    """Of all images in the place; those without a date have none."""
    days = np.unique(fine["image_day"][fine["image_valid"] > 0])
    return [int(day) for day in days if day > 0]


def _make_labels(
    recipe: Recipe, fine: np.ndarray, image_valid: np.ndarray
) -> dict[str, np.ndarray]:
    valid = (fine["labelled"] * image_valid).astype(np.uint8)
    labels = {"valid": valid}
    if recipe.buildings:
        labels["building"] = fine["building"] * valid
        density = _spread_centroids(fine["centroids"]) * valid
        labels["centroid_density"] = density.astype(np.float16)
    if recipe.roads:
        labels["road"] = fine["road"] * valid
    if recipe.height_property:
        height_m = fine["height"] * np.float32(HEIGHT_M)
        unknown = (fine["building"] > 0) & (fine["height"] == 0)
        height_m[unknown | (valid == 0)] = np.nan
        labels["height_m"] = height_m.astype(np.float16)
    return labels


def _spread_centroids(counts: np.ndarray) -> np.ndarray:
    """Each centroid as a Gaussian of mass 1, at the middle of its pixel."""
    row_col = np.argwhere(counts) + 0.5
    repeats = counts[counts > 0]
    return make_centroid_density(
        np.repeat(row_col, repeats, axis=0),
        *counts.shape,
        sigma_px=CENTROID_SIGMA_M * LABEL_FACTOR / S2_PIXEL_M,
    )


def _make_weak_labels(fine: np.ndarray) -> dict[str, np.ndarray]:
    valid = fine["weak_valid"].astype(np.uint8)
    planes = {
        "building_probs": fine["weak_presence"] * np.float32(WEAK_PRESENCE),
        "centroid_density": fine["weak_count"] * np.float32(WEAK_COUNT),
        "height_m": fine["weak_height"] * np.float32(HEIGHT_M),
    }
    answers = {
        name: (plane * valid).astype(np.float16)
        for name, plane in planes.items()
    }
    return {**answers, "valid": valid}
