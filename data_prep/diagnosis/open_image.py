"""Opens 50 cm images: what the teacher sees."""

from collections.abc import Sequence

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.geotiff_header import Header
from data_prep.diagnosis.geotiff_header import ground_pixel_m
from data_prep.diagnosis.geotiff_pixels import read_values
from data_prep.diagnosis.sampling import describe_windows
from data_prep.diagnosis.sampling import plan_windows
from data_prep.diagnosis.sampling import spread
from data_prep.diagnosis.subject import Frame
from data_prep.diagnosis.subject import Place
from data_prep.diagnosis.subject import Subject

_MOST_IMAGES = 16
_COARSEST_M = 1.01  # as `data_prep.pairing.image` takes
_TAKEN_DTYPES = ("uint8", "uint16")


def open_images(
    source: str, headers: Sequence[Header], findings: Sequence[Finding]
) -> Subject:
    """Opens image files; each is a place of one frame.

    Args:
      source: As the user named them.
      headers: Of the files.
      findings: What looking for files already told.
    """
    places, texts = [], []
    for i in spread(len(headers), _MOST_IMAGES):
        header = headers[i]
        windows = plan_windows(header.height, header.width)
        bands = _band_names(header)
        values, inside = read_values(
            header, {name: k for k, name in enumerate(bands)}, None, windows
        )
        frame = Frame(
            name=header.name, bands=bands, values=values, inside=inside
        )
        places.append(
            Place(
                name="" if len(headers) == 1 else header.name,
                frames=(frame,),
                grid=header.grid,
                block_px=windows[0][0][2] if len(windows) > 1 else None,
            )
        )
        texts.append(describe_windows(windows))
    first = headers[0]
    bands = _band_names(first)
    text = next((t for t in texts if t), "every pixel")
    return Subject(
        kind="image",
        source=source,
        records=len(headers),
        shape=(first.height, first.width, len(bands)),
        bands=bands,
        places=tuple(places),
        looked_at=f"{len(places)} of {len(headers)} images, {text}",
        findings=(*findings, *_find_troubles(headers)),
        crs=first.grid.crs if first.grid else None,
        transform=first.grid.transform if first.grid else None,
        frames=1,
        pixel_m=ground_pixel_m(first.grid),
    )


def _band_names(header: Header) -> tuple[str, ...]:
    count = len(header.descriptions) - header.has_alpha
    plain = {1: ("grey",), 3: ("red", "green", "blue")}
    given = header.descriptions[:count]
    if all(given) and len(set(given)) == count:
        return tuple(str(text) for text in given)
    return plain.get(count, tuple(f"band {i + 1}" for i in range(count)))


def _find_troubles(headers: Sequence[Header]) -> list[Finding]:
    found = []
    lost = [h for h in headers if h.grid is None]
    if lost:
        found.append(
            Finding(
                "no_position",
                "warning",
                f"{lost[0].lacks}; or tell data_prep.pair_geotiffs with "
                "--image_crs and --image_transform",
                tuple(h.name for h in lost),
            )
        )
    odd = [h for h in headers if h.dtype not in _TAKEN_DTYPES]
    if odd:
        found.append(
            Finding(
                "image_dtype",
                "warning",
                f"{name_some([h.name for h in odd])} holds {odd[0].dtype}; "
                "images of uint8 or uint16 are taken: convert it with "
                "gdal_translate -ot Byte -scale",
                tuple(h.name for h in odd),
            )
        )
    coarse = [
        (h.name, size)
        for h in headers
        if (size := ground_pixel_m(h.grid)) is not None and size > _COARSEST_M
    ]
    if coarse:
        found.append(
            Finding(
                "coarse_image",
                "warning",
                f"{coarse[0][0]} has pixels of {coarse[0][1]:.2f} m; the "
                "teacher learns from 0.5 m, and coarser than 1 m is refused",
                tuple(name for name, _ in coarse),
            )
        )
    return found
