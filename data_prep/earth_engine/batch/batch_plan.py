"""What a batch run will export, before anything is asked."""

import dataclasses
from collections.abc import Sequence

from data_prep.earth_engine.batch.batch_settings import BatchSettings
from data_prep.earth_engine.batch.cells import Cell
from data_prep.earth_engine.batch.tensor_bands import scalar_bands
from data_prep.earth_engine.layers import Layer

_MIB = 2**20
_VALUE_BYTES = 4  # every number is a float32
# Where places are sparser, most of what is exported is for nothing.
_SPARSE_SHARE = 0.25


@dataclasses.dataclass(frozen=True)
class LayerExport:
    """What the tasks of one layer export.

    Attributes:
      layer: Which.
      patch_px: Side of a patch, without the kernel.
      pixels: Of one task, kernel included.
      bytes: Of one task, before compression.
      files: Of one task, without the mixer.
    """

    layer: Layer
    patch_px: int
    pixels: int
    bytes: int
    files: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """What a run exports.

    Attributes:
      cells: Number.
      cell_tiles: Side of a cell in places.
      places: Number that are wanted.
      layers: What each layer exports for one cell.
    """

    cells: int
    cell_tiles: int
    places: int
    layers: tuple[LayerExport, ...]

    @property
    def tasks(self) -> int:
        """Tasks of the run."""
        return self.cells * len(self.layers)

    @property
    def patches(self) -> int:
        """Places that the cells have room for."""
        return self.cells * self.cell_tiles**2

    def total(self, name: str) -> int:
        """Sum of "pixels", "bytes" or "files" over all tasks."""
        return self.cells * sum(getattr(part, name) for part in self.layers)


def make_batch_plan(
    cells: Sequence[Cell], layers: Sequence[Layer], settings: BatchSettings
) -> BatchPlan:
    """Plans a run.

    Args:
      cells: At least one.
      layers: Of the recipe.
      settings: Of the run.
    """
    return BatchPlan(
        cells=len(cells),
        cell_tiles=settings.cell_tiles,
        places=sum(len(cell.places) for cell in cells),
        layers=tuple(_plan(cells[0], layer, settings) for layer in layers),
    )


def format_batch_plan(plan: BatchPlan, settings: BatchSettings) -> str:
    """The plan as lines for a terminal."""
    share = plan.places / plan.patches
    side = settings.cell_tiles
    lines = [
        f"tasks       {plan.tasks:,}: {plan.cells:,} cells of {side} x {side} "
        f"places, {len(plan.layers)} layers each",
        f"places      {plan.places:,} of {plan.patches:,} patches "
        f"({share:.0%}); a cell is exported as a whole",
        "frames      chosen once for a cell, the clearest over all of it",
        "",
        "layer   patch px     bands   pixels a task   bytes a task   files",
    ]
    lines += [
        f"{part.layer.name:<6}  {part.patch_px:>4} x {part.patch_px:<4}  "
        f"{len(part.layer.bands):>5}   {part.pixels:>13,}   "
        f"{_format_bytes(part.bytes):>12}   {part.files:>5,}"
        for part in plan.layers
    ]
    lines += [
        "",
        f"pixels      {plan.total('pixels'):,}",
        f"bytes       {_format_bytes(plan.total('bytes'))} before compression",
        f"files       {plan.total('files'):,}, and {plan.tasks:,} mixers, in "
        f"{settings.exports}",
    ]
    if share < _SPARSE_SHARE:
        lines.append(
            "sparse      most patches are no places; to ask for places alone:"
            "\n            data_prep.earth_engine.export"
        )
    return "\n".join(lines) + "\n"


def _plan(cell: Cell, layer: Layer, settings: BatchSettings) -> LayerExport:
    side = cell.patch_px(layer)
    patch_pixels = (side + settings.kernel_of(layer)) ** 2
    values = len(layer.bands)
    if settings.is_tensor(layer):
        values += 1 + len(scalar_bands(layer))  # 1: the length of the array
    patch_bytes = patch_pixels * values * _VALUE_BYTES
    in_a_file = max(1, settings.max_file_mib * _MIB // patch_bytes)
    return LayerExport(
        layer=layer,
        patch_px=side,
        pixels=patch_pixels * cell.patches,
        bytes=patch_bytes * cell.patches,
        files=-(-cell.patches // in_a_file),
    )


def _format_bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.3g} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"
