"""The mixer: the JSON beside an image export that says where patches lie.

Earth Engine cuts the box of an image export into patches, row by row from the
top left, and writes one example a patch. Shapes and position stand in this
file only. Its patches are those without the kernel's margin. Source: Earth
Engine guide, "TFRecord and Earth Engine", section on the mixer file.
"""

import dataclasses
import decimal
import json
import math
import os
from collections.abc import Mapping
from typing import Any

from data_prep.earth_engine.file_text import read_bytes
from data_prep.earth_engine.file_text import write_text
from s2distill.errors import GridError
from s2distill.errors import RecordError
from s2distill.geo.grid import Grid
from s2distill.geo.grid import parse_crs

_FORM = """{{
  "projection": {{
    "crs": {crs},
    "affine": {{
      "doubleMatrix": [{matrix}]
    }}
  }},
  "patchDimensions": [{width}, {height}],
  "patchesPerRow": {per_row},
  "totalPatches": {total}
}}"""
# Where Java, which writes the real ones, turns to exponents.
_JAVA_PLAIN = (1e-3, 1e7)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixer:
    """Where the patches of an image export lie.

    Attributes:
      crs: Of the image, "EPSG:32616" or WKT.
      transform: Affine a b c d e f of the whole image, b and d 0.
      patch_height: Rows of a patch, without the kernel's margin.
      patch_width: Columns of a patch, likewise.
      patches_per_row: Patches side by side.
      total_patches: Examples in all files together.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    patch_height: int
    patch_width: int
    patches_per_row: int
    total_patches: int

    def __post_init__(self) -> None:
        if len(self.transform) != 6:
            raise GridError(
                f"projection.affine.doubleMatrix has {len(self.transform)} "
                "numbers, an affine transform has 6; export the image again"
            )
        for key, value in (
            ("patchDimensions", self.patch_height),
            ("patchDimensions", self.patch_width),
            ("patchesPerRow", self.patches_per_row),
            ("totalPatches", self.total_patches),
        ):
            if value < 1:
                raise RecordError(
                    f"{key} of {value}: an export has at least 1; export the "
                    "image again"
                )
        if self.total_patches % self.patches_per_row:
            raise RecordError(
                f"totalPatches {self.total_patches} do not make whole rows of "
                f"patchesPerRow {self.patches_per_row}: the mixer was edited "
                "or belongs to another export"
            )
        _ = self.grid  # refuses rotation and pixels of no size

    @property
    def patch_shape(self) -> tuple[int, int]:
        """(rows, columns) of a patch without margin."""
        return self.patch_height, self.patch_width

    @property
    def grid(self) -> Grid:
        """The whole image; GridError if it is rotated."""
        return Grid(
            self.crs,
            self.transform,
            self.total_patches // self.patches_per_row * self.patch_height,
            self.patches_per_row * self.patch_width,
        )

    def patch_corner(self, index: int) -> tuple[int, int]:
        """(row, col) in the image of the first pixel of a patch.

        Raises:
          RecordError: If there is no such patch.
        """
        if not 0 <= index < self.total_patches:
            raise RecordError(
                f"no patch {index}: the mixer counts {self.total_patches}, "
                "from 0"
            )
        row, col = divmod(index, self.patches_per_row)
        return row * self.patch_height, col * self.patch_width

    def patch_grid(
        self, index: int, *, margin_px: tuple[int, int] = (0, 0)
    ) -> Grid:
        """The grid of one patch.

        Args:
          index: Number of the example, over all files.
          margin_px: (rows, columns) to add at each side; half of the kernel.

        Raises:
          RecordError: If there is no such patch.
        """
        row, col = self.patch_corner(index)
        rows, cols = margin_px
        return self.grid.cropped(
            row - rows,
            col - cols,
            self.patch_height + 2 * rows,
            self.patch_width + 2 * cols,
        )

    def refined(self, factor: int) -> "Mixer":
        """The mixer of the same patches with pixels `factor` times finer."""
        return dataclasses.replace(
            self,
            transform=self.grid.refined(factor).transform,
            patch_height=self.patch_height * factor,
            patch_width=self.patch_width * factor,
        )


def read_mixer(path: str | os.PathLike[str]) -> Mixer:
    """Reads a mixer file.

    Args:
      path: JSON file, local or gs://.

    Raises:
      RecordError: If it is absent, no JSON, lacks a key, or counts patches
        that make no whole rows.
      GridError: If its transform is rotated or its CRS is unknown.
    """
    try:
        content = json.loads(read_bytes(path))
    except OSError as error:
        raise RecordError(
            f"no mixer at {path} ({_one_line(error)}); Earth Engine writes one "
            "beside an image export, but none where maskedThreshold is not 1: "
            "then patches are missing too, and their places must come from "
            "bands of the export itself"
        ) from error
    except ValueError as error:
        raise RecordError(
            f"{path} is no mixer: {_one_line(error)}; fetch it again"
        ) from error
    try:
        mixer = _parse(content)
        parse_crs(mixer.crs)
    except (RecordError, GridError) as error:
        raise type(error)(f"{path}: {error}") from error
    return mixer


def write_mixer(path: str | os.PathLike[str], mixer: Mixer) -> None:
    """Writes a mixer, byte for byte as Earth Engine does.

    Args:
      path: JSON file, local or gs://, whole or not at all.
      mixer: What to write.

    Raises:
      OutputError: If the disk refuses.
    """
    text = _FORM.format(
        crs=json.dumps(mixer.crs),
        matrix=", ".join(_java_double(value) for value in mixer.transform),
        width=mixer.patch_width,
        height=mixer.patch_height,
        per_row=mixer.patches_per_row,
        total=mixer.total_patches,
    )
    write_text(path, text)


def _parse(content: Any) -> Mixer:
    matrix = _find(content, "projection.affine.doubleMatrix", list)
    dimensions = _find(content, "patchDimensions", list)
    if len(dimensions) != 2:
        raise RecordError(
            f"patchDimensions {dimensions}: a width and a height are expected"
        )
    if not all(_is_number(v) for v in matrix) or not all(
        type(v) is int for v in dimensions
    ):
        raise RecordError(
            f"doubleMatrix {matrix} and patchDimensions {dimensions} must be "
            "finite numbers, the second whole; fetch the mixer again"
        )
    return Mixer(
        crs=_find(content, "projection.crs", str),
        transform=tuple(float(value) for value in matrix),
        patch_height=dimensions[1],
        patch_width=dimensions[0],
        patches_per_row=_find(content, "patchesPerRow", int),
        total_patches=_find(content, "totalPatches", int),
    )


def _find(content: Any, dotted_key: str, kind: type) -> Any:
    found = content
    for key in dotted_key.split("."):
        if not isinstance(found, Mapping) or key not in found:
            raise RecordError(
                f"no key {dotted_key}: this is no mixer of a TFRecord image "
                "export; name the JSON that lies beside the shards"
            )
        found = found[key]
    if type(found) is not kind:
        raise RecordError(
            f"{dotted_key} is {found!r}, expected {kind.__name__}; fetch the "
            "mixer again"
        )
    return found


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _java_double(value: float) -> str:
    """The text that Java's Double.toString gives: 8.98E-5, 500000.0."""
    low, high = _JAVA_PLAIN
    if value == 0 or low <= abs(value) < high:
        return repr(float(value))
    parts = decimal.Decimal(repr(float(value))).normalize().as_tuple()
    digits = "".join(str(digit) for digit in parts.digits)
    exponent = len(digits) - 1 + int(parts.exponent)
    sign = "-" if parts.sign else ""
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
