"""A mapped town as one picture: frame, mean, image, map and truth."""

import os
import pathlib

import numpy as np

from s2distill.data.bands import RGB_BANDS
from s2distill.data.frame_stack import open_frames
from s2distill.evaluation.panel import Example
from s2distill.evaluation.panel import draw_panel
from s2distill.evaluation.panel import make_frame_pictures
from s2distill.geo.raster import open_raster


def draw_town(
    path: str | os.PathLike[str],
    *,
    town: str | os.PathLike[str],
    town_map: str | os.PathLike[str],
    model: str,
) -> None:
    """Draws a map beside what it was made from and what is true.

    Args:
      path: PNG to write.
      town: Folder that `data_prep.simulate --town_geotiffs` wrote.
      town_map: Map of it that s2distill.predict wrote.
      model: Name of the model, for the title of its map.
    """
    folder = pathlib.Path(town)
    frames = open_frames(str(folder / "sentinel2" / "*.tif"))
    dn, valid = frames.read(RGB_BANDS, frames.grid)
    frame, mean = make_frame_pictures(
        dn.astype(np.float32),
        valid,
        centre=(0.0,) * 3,
        scale=(1.0,) * 3,
        rgb=(0, 1, 2),
    )
    image = _read(folder / "image.tif")
    truth, answer = _read(folder / "truth.tif"), _read(town_map)
    draw_panel(
        path,
        Example(
            title="A simulated town that no training record shows",
            side_m=frames.grid.pixel_size[0] * frames.grid.width,
            frame_rgb=frame,
            mean_rgb=mean,
            frames=len(frames.paths),
            image_rgb=np.stack([image[c] for c in image], axis=-1) / 255.0,
            truth={kind: truth[kind] for kind in ("building", "road")},
            known=np.ones_like(truth["building"]),
            answers={
                model: {
                    kind: np.nan_to_num(answer[kind])
                    for kind in ("building", "road")
                }
            },
        ),
    )


def _read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The bands of a raster by their descriptions."""
    with open_raster(path) as dataset:
        return dict(zip(dataset.descriptions, dataset.read(), strict=True))
