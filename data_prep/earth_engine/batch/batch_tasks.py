"""One layer of one cell as a request for an export task.

The image is wrapped by the `ee` client's own `Export.image.toCloudStorage`,
which fixes CRS, transform and size in the graph: nothing is resampled, and
the box is whole patches, so that none on its edge is dropped.

Every band is cast to float32 first. Of bands of 8 bits Earth Engine writes
strings of bytes instead of numbers (Google's issue tracker, 296941927), which
its guide does not say; a float32 holds all our numbers exactly.
"""

import hashlib
import json
from typing import Any

import ee

from data_prep.earth_engine.batch.batch_settings import BatchSettings
from data_prep.earth_engine.batch.batch_settings import file_prefix
from data_prep.earth_engine.batch.batch_settings import task_name
from data_prep.earth_engine.batch.cells import Cell
from data_prep.earth_engine.batch.tensor_bands import STACK
from data_prep.earth_engine.batch.tensor_bands import STACK_LENGTH
from data_prep.earth_engine.batch.tensor_bands import scalar_bands
from data_prep.earth_engine.expressions.layer_image import build_layer
from data_prep.earth_engine.expressions.layer_image import make_region
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.places.place_time import to_time_utc_ms

_MIB = 2**20


def make_request_id(settings: BatchSettings, task: str, attempt: int) -> str:
    """What Earth Engine tells one attempt of one task from all others by.

    At most 60 characters of a..z, A..Z, 0-9 and -. Source: REST reference
    v1, projects.image.export, `requestId`.
    """
    text = json.dumps([settings.run_id, task, attempt])
    return f"s2distill-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def make_description(task: str, attempt: int, request_id: str) -> str:
    """The name that the task manager shows; no other task has it."""
    short = request_id.removeprefix("s2distill-")[:12]
    return f"{task.replace('/', '_')}_{attempt}_{short}"


def make_request(
    settings: BatchSettings, cell: Cell, layer: Layer, attempt: int
) -> dict[str, Any]:
    """The `ExportImageRequest` of a task, as `ee.data.exportImage` takes it.

    Args:
      settings: Of the run.
      cell: Where.
      layer: What.
      attempt: From 1.

    Returns:
      A new dictionary each time: the client changes what it gets.
    """
    task = task_name(cell, layer)
    grid, side = cell.layer_grid(layer), cell.patch_px(layer)
    is_tensor = settings.is_tensor(layer)
    options: dict[str, Any] = {
        "patchDimensions": [side, side],
        "compressed": True,
        "maxFileSize": settings.max_file_mib * _MIB,
        "defaultValue": 0,
    }
    kernel = settings.kernel_of(layer)
    if kernel:
        options["kernelSize"] = [kernel, kernel]
    if is_tensor:
        options["tensorDepths"] = {STACK: len(layer.bands)}
    return ee.batch.Export.image.toCloudStorage(
        image=_build_image(settings, cell, layer, is_tensor),
        description=make_description(
            task, attempt, make_request_id(settings, task, attempt)
        ),
        bucket=settings.bucket,
        fileNamePrefix=file_prefix(settings, task, attempt),
        crs=grid.crs,
        crsTransform=list(grid.transform),
        dimensions=[grid.width, grid.height],
        # The default of 1e8 is less than one cell of 16 x 16 places at 50 cm.
        maxPixels=cell.patches * (side + kernel) ** 2,
        fileFormat="TFRecord",
        formatOptions=options,
    ).config


def _build_image(
    settings: BatchSettings, cell: Cell, layer: Layer, is_tensor: bool
) -> ee.Image:
    image = build_layer(
        settings.recipe,
        layer,
        region=make_region(cell.crs, cell.grid.bounds),
        place_time=ee.Date(to_time_utc_ms(cell.date or settings.date)),
    )
    bands = image.select(list(layer.bands)).toFloat()
    if not is_tensor:
        return bands
    stack = bands.toArray().rename([STACK])
    length = stack.arrayLength(0).toFloat().rename([STACK_LENGTH])
    scalars = image.select(list(scalar_bands(layer))).toFloat()
    return stack.addBands(length).addBands(scalars)
