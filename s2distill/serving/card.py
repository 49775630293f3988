"""The model card: what a SavedModel must be fed, and where it comes from.

`model_card.json` lies in the folder of the SavedModel; the program that maps
a region needs nothing else to know which bands to read and how.
"""

import dataclasses
import json
import math
import os
import pathlib
import typing
from collections.abc import Sequence
from typing import Any
from typing import Literal

from s2distill.atomic_write import write_json
from s2distill.data.bands import ProductLevel
from s2distill.data.bands import check_product_level
from s2distill.data.normalize import BandStatistics
from s2distill.data.schema import ANSWERS
from s2distill.data.schema import SCHEMA_VERSION
from s2distill.data.schema import in_order
from s2distill.errors import BandError
from s2distill.errors import ModelError
from s2distill.errors import ProductLevelError
from s2distill.errors import S2DistillError

CARD_FILE = "model_card.json"
TEACHER = "teacher"
# Answers that are probabilities and have a temperature.
PRESENCE = ("building", "road")
# Outputs that are maps, in the order of a map's bands: the answer each is of.
MAP_OUTPUTS = {
    "building": "building",
    "road": "road",
    "centroid_density": "building",
    "height_m": "height",
}
# Output that is no map of label pixels but one number for each window.
OUT_OF_DISTRIBUTION = "out_of_distribution"

ModelKind = Literal[
    "teacher",
    "student",
    "bicubic_unet",
    "super_resolution_unet",
    "composite_student",
    "u_tae",
]


def unit_temperatures() -> dict[str, float]:
    """Those that leave every presence as the network answers it."""
    return dict.fromkeys(PRESENCE, 1.0)


def zero_biases() -> dict[str, float]:
    """Those that add nothing to a logit."""
    return dict.fromkeys(PRESENCE, 0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a SavedModel must be fed, and where it comes from.

    Attributes:
      kind: "teacher" takes a 50 cm image; the others take frames.
      bands: Names of the C bands of a frame, in order. A teacher's card
        holds those of its records; it has no use for them.
      product_level: "L1C" or "L2A".
      quantification_dn: DN per unit reflectance.
      offset_dn: Added to DN before division; 0, or -1000 since baseline 04.00.
      statistics: Of the bands, in their order.
      gsd_m: Ground sampling distance of the frames, metres.
      label_factor: Answered pixels per frame pixel and axis.
      frames: T in training; 0 for a teacher. Any T >= 1 works.
      temperatures: "building" and "road": divides the logit, above 0.
      biases: "building" and "road": added to it then; presence is the sigmoid
        of the sum.
      height_scale_factor: The network's scale of height was multiplied by it
        to make "height_scale_m", above 0.
      trust_window_px: Side of the windows of "out_of_distribution",
        Sentinel-2 pixels; None where the model has no such output.
      trust_threshold: Distance at which that output is 1, in units of the
        layers' own limits; likewise.
      takes_view: True if it is also fed "view" [B, 3], where a roof leans.
      schema_version: Of the records it was trained on.
      metrics: Scores, by name; empty where none were measured.
      training: Provenance, as the training workdir tells it.
      answers: Those of `schema.ANSWERS` that it was trained for, in their
        order; what it says of others means nothing. Cards written before
        this was recorded count as trained for all.
    """

    kind: ModelKind
    bands: tuple[str, ...]
    product_level: ProductLevel
    quantification_dn: float
    offset_dn: float
    statistics: BandStatistics
    label_factor: int
    frames: int
    gsd_m: float = 10.0
    temperatures: dict[str, float] = dataclasses.field(
        default_factory=unit_temperatures
    )
    biases: dict[str, float] = dataclasses.field(default_factory=zero_biases)
    height_scale_factor: float = 1.0
    trust_window_px: int | None = None
    trust_threshold: float | None = None
    takes_view: bool = False
    schema_version: str = SCHEMA_VERSION
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    answers: tuple[str, ...] = ANSWERS

    def __post_init__(self) -> None:
        check_product_level(self.product_level)
        if self.kind not in typing.get_args(ModelKind):
            raise ModelError(
                f"no model kind {self.kind!r}; there are "
                f"{', '.join(typing.get_args(ModelKind))}"
            )
        if self.bands != self.statistics.bands:
            raise BandError(
                f"model of bands {', '.join(self.bands)} with statistics of "
                f"{', '.join(self.statistics.bands)}: they must be the same, "
                "in the same order"
            )
        if set(self.temperatures) != set(PRESENCE) or not all(
            0 < t < float("inf") for t in self.temperatures.values()
        ):
            raise ModelError(
                f"temperatures {self.temperatures}: one above 0 for each of "
                f"{', '.join(PRESENCE)}"
            )
        if set(self.biases) != set(PRESENCE) or not all(
            map(math.isfinite, self.biases.values())
        ):
            raise ModelError(
                f"biases {self.biases}: a number for each of "
                f"{', '.join(PRESENCE)}"
            )
        if not 0 < self.height_scale_factor < float("inf"):
            raise ModelError(
                f"height scale factor {self.height_scale_factor}: it must be "
                "above 0"
            )
        if not self.answers or self.answers != in_order(self.answers):
            raise ModelError(
                f"a model that answers {', '.join(self.answers) or 'nothing'}"
                f": some of {', '.join(ANSWERS)}, in this order"
            )

    @property
    def takes_frames(self) -> bool:
        """True if the inputs are Sentinel-2 frames, False if a 50 cm image."""
        return self.kind != TEACHER

    @property
    def inputs(self) -> frozenset[str]:
        """Names of what it is fed, as the files hold it."""
        if self.takes_frames:
            return frozenset({"s2_dn", "frame_valid"})
        return frozenset({"image", "view"} if self.takes_view else {"image"})

    @property
    def label_gsd_m(self) -> float:
        """Ground sampling distance of the answers, metres."""
        return self.gsd_m / self.label_factor

    @property
    def mask_presence(self) -> dict[str, float]:
        """The presence at which a pixel is best counted as there.

        "building" and "road": what calibration has made of a half. Masks cut
        there are those that the scores are of.
        """
        return {
            name: 1 / (1 + math.exp(-bias))
            for name, bias in self.biases.items()
        }

    @property
    def map_outputs(self) -> tuple[str, ...]:
        """Those of `MAP_OUTPUTS` that it was trained for."""
        return tuple(
            name
            for name, answer in MAP_OUTPUTS.items()
            if answer in self.answers
        )

    def check_fits(
        self,
        *,
        bands: Sequence[str],
        product_level: str,
        quantification_dn: float,
        offset_dn: float,
    ) -> None:
        """Raises unless frames are of the kind this model was trained on.

        Args:
          bands: Of the frames; more than the model's, in any order, is fine.
          product_level: Of the frames.
          quantification_dn: Of the frames.
          offset_dn: Of the frames.

        Raises:
          BandError: If a band of the model is not among `bands`.
          ProductLevelError: If level, quantification or offset differ.
        """
        missing = [name for name in self.bands if name not in bands]
        if missing:
            raise BandError(
                f"the frames have no band {', '.join(missing)}: the model was "
                f"trained on {', '.join(self.bands)}, the frames hold "
                f"{', '.join(bands)}; name their bands or take other frames"
            )
        if product_level != self.product_level:
            raise ProductLevelError(
                f"the model was trained on {self.product_level}, the frames "
                f"are {product_level}; take frames of {self.product_level} "
                "or a model of their level"
            )
        ours = (self.quantification_dn, self.offset_dn)
        theirs = (quantification_dn, offset_dn)
        if ours != theirs:
            raise ProductLevelError(
                "the model was trained on (quantification, offset) "
                f"{_pair(ours)} DN, the frames have {_pair(theirs)}; convert "
                "the frames or state the offset they truly have"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values, read back by `from_json`."""
        content = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self)
        }
        content["bands"] = list(self.bands)
        content["answers"] = list(self.answers)
        content["statistics"] = self.statistics.to_json()
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "ModelCard":
        """The card that `to_json` wrote."""
        content = dict(content)
        content["bands"] = tuple(content["bands"])
        content["answers"] = tuple(content.get("answers", ANSWERS))
        content["statistics"] = BandStatistics.from_json(content["statistics"])
        return cls(**content)


def write_card(directory: str | os.PathLike[str], card: ModelCard) -> None:
    """Writes `model_card.json` into the folder of a SavedModel."""
    write_json(pathlib.Path(directory) / CARD_FILE, card.to_json())


def read_card(directory: str | os.PathLike[str]) -> ModelCard:
    """Reads the card in the folder of a SavedModel.

    Raises:
      ModelError: If it is absent or is no card of this package.
    """
    path = pathlib.Path(directory) / CARD_FILE
    if not path.is_file():
        raise ModelError(
            f"no model card {path}; s2distill.export writes it beside the "
            "SavedModel"
        )
    try:
        return ModelCard.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        S2DistillError,
    ) as error:
        raise ModelError(
            f"{path} is no model card: {type(error).__name__}: {error}; "
            "export the model again"
        ) from error


def _pair(values: tuple[float, float]) -> str:
    return f"({values[0]:g}, {values[1]:g})"
