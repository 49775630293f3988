"""What an image:export request may hold, and what it asks for.

The fields are those of the REST reference, v1, `ExportImageRequest` and
`ImageFileExportOptions`; the discovery document of the client's wheel has no
schemas. As in the real service, what stands nowhere there is refused.
"""

import dataclasses
import re

from tests.earth_engine_server.export_image import Image
from tests.earth_engine_server.export_image import make_image
from tests.earth_engine_server.refusal import Refusal

DEFAULT_MAX_PIXELS = 100_000_000
DEFAULT_MAX_FILE_BYTES = 2**30
_DESTINATION = {
    "bucket": str,
    "filenamePrefix": str,
    "permissions": str,
    "bucketCorsUris": list,
}
_GRID_DIMENSIONS = {"width": int, "height": int}
_TF_RECORD_OPTIONS = {
    "tileDimensions": _GRID_DIMENSIONS,
    "marginDimensions": _GRID_DIMENSIONS,
    "compress": bool,
    # Int64Value and DoubleValue: plain, or wrapped as the client does.
    "maxSizeBytes": {"value": str},
    "defaultValue": (int, float),
    "tensorDepths": dict,
    "sequenceData": bool,
    "collapseBands": bool,
    "maxMaskedRatio": {"value": (int, float)},
}
_REQUEST = {
    "expression": dict,
    "description": str,
    "maxPixels": {"value": str},
    "requestId": str,
    "workloadTag": str,
    "priority": {"value": int},
    "fileExportOptions": {
        "fileFormat": str,
        "cloudStorageDestination": _DESTINATION,
        "tfRecordOptions": _TF_RECORD_OPTIONS,
    },
}


@dataclasses.dataclass(frozen=True)
class ExportRequest:
    """An export of TFRecord patches to a bucket, all defaults filled in."""

    description: str
    request_id: str
    image: Image
    bucket: str
    prefix: str
    patch_width: int
    patch_height: int
    margin_width: int
    margin_height: int
    compress: bool
    max_file_bytes: int
    default_value: float
    depths: dict
    max_pixels: int


def read_request(content):
    """The request in `content`; Refusal where the service would refuse."""
    _check_fields(content, _REQUEST, "request")
    _check_text(
        content.get("requestId", ""), "requestId", r"[a-zA-Z0-9-]{0,60}"
    )
    _check_text(
        content.get("description", ""), "description", r"[\w.,:;-]{1,100}"
    )
    files = content.get("fileExportOptions", {})
    if files.get("fileFormat") != "TF_RECORD_IMAGE":
        raise Refusal(400, f"fileFormat {files.get('fileFormat')}")
    destination = files.get("cloudStorageDestination", {})
    if not destination.get("bucket") or not destination.get("filenamePrefix"):
        raise Refusal(400, "cloudStorageDestination needs bucket and prefix")
    options = files.get("tfRecordOptions", {})
    patch = options.get("tileDimensions", {"width": 256, "height": 256})
    margin = options.get("marginDimensions", {"width": 0, "height": 0})
    if options.get("maxMaskedRatio", {"value": 1})["value"] != 1:
        raise Refusal(501, "the double drops no masked patches")
    if options.get("sequenceData") or options.get("collapseBands"):
        raise Refusal(501, "the double knows examples of bands only")
    image = make_image(content["expression"])
    depths = options.get("tensorDepths", {})
    for name in image.array_bands():
        if name not in depths:
            raise Refusal(400, f"no tensorDepths for the array band {name}")
    size = options.get("maxSizeBytes", {"value": DEFAULT_MAX_FILE_BYTES})
    pixels = content.get("maxPixels", {"value": DEFAULT_MAX_PIXELS})
    return ExportRequest(
        description=content.get("description", ""),
        request_id=content.get("requestId", ""),
        image=image,
        bucket=destination["bucket"],
        prefix=destination["filenamePrefix"],
        patch_width=patch["width"],
        patch_height=patch["height"],
        margin_width=margin["width"],
        margin_height=margin["height"],
        compress=options.get("compress", False),
        max_file_bytes=int(size["value"]),
        default_value=options.get("defaultValue", 0),
        depths=depths,
        max_pixels=int(pixels["value"]),
    )


def _check_fields(content, schema, where):
    for name, value in content.items():
        if name not in schema:
            raise Refusal(
                400,
                f'Invalid JSON payload received. Unknown name "{name}" at '
                f"'{where}': Cannot find field.",
            )
        kind = schema[name]
        if isinstance(kind, dict):
            if not isinstance(value, dict):
                raise Refusal(400, f"{where}.{name} is no object: {value!r}")
            _check_fields(value, kind, f"{where}.{name}")
        elif not isinstance(value, kind):
            raise Refusal(400, f"{where}.{name} is no {kind}: {value!r}")


def _check_text(text, name, pattern):
    if not re.fullmatch(pattern, text):
        raise Refusal(400, f"Invalid {name} {text!r}: it must be {pattern}")
