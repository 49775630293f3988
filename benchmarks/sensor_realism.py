r"""Puts simulated Sentinel-2 frames beside a real one.

python -m benchmarks.sensor_realism --real=s2_roads.tiff \
    --output=docs/sensor_realism.png --gallery=docs/simulated_towns.png

Writes pictures, histograms of reflectance and radial power spectra, and
prints the numbers behind them. The real file is a 12-band Sentinel-2 L2A
GeoTIFF (B1 to B12 without B10).
"""

import dataclasses
import json
import sys
from typing import Any

import numpy as np

from s2distill.data.bands import DEFAULT_BANDS
from s2distill.data.bands import L2A_FILE_BANDS
from s2distill.data.bands import S2_QUANTIFICATION_DN
from s2distill.data.bands import find_bands
from s2distill.flag_config import flag
from s2distill.flag_config import run_program

_SHOWN = ("B2", "B4", "B8", "B11")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    real: str = flag(help="Sentinel-2 L2A GeoTIFF of a town, 12 bands.")
    output: str = flag("docs/sensor_realism.png", help="PNG to write.")
    gallery: str = flag("", help="PNG of a contact sheet of towns, or none.")
    size_px: int = flag(128, help="Side compared, 10 m pixels.")
    style: str = flag("wooded_suburb", help="Style of the town compared.")
    seed: int = flag(7, help="Another seed gives another town.")


def run(config: Config) -> None:
    """Compares, and writes the pictures."""
    real = read_real(config.real, config.size_px)
    simulated = simulate_clear_frame(config.size_px, config.style, config.seed)
    sys.stdout.write(json.dumps(compare(real, simulated), indent=2) + "\n")
    _draw(real, simulated, config.output)
    if config.gallery:
        _draw_gallery(config.gallery, config.seed)


def read_real(path: str, size_px: int) -> np.ndarray:
    """[H, W, C] reflectance of the default bands, from the middle."""
    import rasterio

    with rasterio.open(path) as file:
        planes = file.read(
            [i + 1 for i in find_bands(DEFAULT_BANDS, L2A_FILE_BANDS)]
        )
    top, left = ((n - size_px) // 2 for n in planes.shape[1:])
    planes = planes[:, top : top + size_px, left : left + size_px]
    return np.moveaxis(planes, 0, -1) / np.float32(S2_QUANTIFICATION_DN)


def simulate_clear_frame(size_px: int, style: str, seed: int) -> np.ndarray:
    """[H, W, C] reflectance of the clearest simulated summer frame."""
    from data_prep.simulation.scene import SceneSettings
    from data_prep.simulation.scene import make_scene
    from s2distill.geo.grid import Grid

    settings = SceneSettings(
        seed=seed,
        bands=DEFAULT_BANDS,
        height_px=size_px,
        width_px=size_px,
        frames=8,
    )
    grid = Grid("EPSG:32631", (10.0, 0, 5e5, 0, -10.0, 5e6), size_px, size_px)
    stack = make_scene(settings, grid, (0, 0), style).stack
    clear = stack.valid.mean((1, 2)) > 0.999
    near_infrared = stack.dn[..., DEFAULT_BANDS.index("B8")].mean((1, 2))
    best = np.argmax(np.where(clear, near_infrared, -1))
    return stack.dn[best] / np.float32(S2_QUANTIFICATION_DN)


def radial_power(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean power against frequency of a square plane.

    Returns:
      Frequencies in cycles per pixel (to 0.5), and power, per ring.
    """
    size = plane.shape[0]
    window = np.hanning(size)[:, None] * np.hanning(size)[None]
    power = np.abs(np.fft.fft2((plane - plane.mean()) * window)) ** 2
    axis = np.fft.fftfreq(size)
    ring = np.round(np.hypot(*np.meshgrid(axis, axis)) * size).astype(int)
    total = np.bincount(ring.ravel(), power.ravel())
    mean = total / np.bincount(ring.ravel())
    rings = np.arange(2, size // 2)
    return rings / size, mean[rings] / power.size


def compare(real: np.ndarray, simulated: np.ndarray) -> dict[str, Any]:
    """Percentiles, and slope and fall of the spectra, band by band."""
    found: dict[str, Any] = {}
    for index, band in enumerate(DEFAULT_BANDS):
        found[band] = {
            name: {
                "percent_1_10_50_90_99": np.round(
                    100 * np.quantile(p, (0.01, 0.1, 0.5, 0.9, 0.99)), 1
                ).tolist(),
                "spectrum_slope": round(_slope(p), 2),
                "step_over_deviation": round(
                    float(np.abs(np.diff(p, axis=1)).mean() / p.std()), 3
                ),
            }
            for name, p in (
                ("real", real[..., index]),
                ("simulated", simulated[..., index]),
            )
        }
    return found


def _slope(plane: np.ndarray) -> float:
    """Slope of log power over log frequency, 0.05 to 0.45 cycles per px."""
    frequency, power = radial_power(plane)
    inside = (frequency > 0.05) & (frequency < 0.45)
    fit = np.polyfit(np.log(frequency[inside]), np.log(power[inside]), 1)
    return float(fit[0])


def _draw(real: np.ndarray, simulated: np.ndarray, path: str) -> None:
    from matplotlib.figure import Figure

    from data_prep.simulation.gallery import show_reflectance
    from s2distill.atomic_write import atomic_file
    from s2distill.data.bands import RGB_BANDS

    figure = Figure(figsize=(16, 11), dpi=70, layout="constrained")
    axes = figure.subplots(3, 4)
    rgb = find_bands(RGB_BANDS, DEFAULT_BANDS)
    infrared = find_bands(("B8", "B4", "B3"), DEFAULT_BANDS)
    for column, (name, image) in enumerate(
        (("real", real), ("simulated", simulated))
    ):
        pictures = (
            (f"{name}, B4 B3 B2", show_reflectance(image[..., rgb], 0.2)),
            (
                f"{name}, B8 B4 B3",
                show_reflectance(image[..., infrared] / (2.5, 1, 1), 0.2),
            ),
        )
        for place, (title, picture) in enumerate(pictures):
            axis = axes[0, 2 * place + column]
            axis.imshow(picture, interpolation="nearest")
            axis.set_title(title)
            axis.set_axis_off()
    for column, band in enumerate(_SHOWN):
        index = DEFAULT_BANDS.index(band)
        for name, image in (("real", real), ("simulated", simulated)):
            plane = image[..., index]
            axes[1, column].hist(
                plane.ravel(), bins=80, density=True, alpha=0.5, label=name
            )
            axes[2, column].loglog(*radial_power(plane), label=name)
        axes[1, column].set_title(f"{band}: reflectance")
        axes[2, column].set_title(f"{band}: power over cycles per 10 m pixel")
        axes[1, column].legend()
    with atomic_file(path) as temporary:
        figure.savefig(temporary)


def _draw_gallery(path: str, seed: int) -> None:
    from data_prep.simulation.gallery import draw_gallery
    from data_prep.simulation.scene import SceneSettings
    from data_prep.simulation.scene import make_scene
    from data_prep.simulation.styles import STYLES
    from s2distill.geo.grid import Grid

    settings = SceneSettings(
        seed=seed, bands=DEFAULT_BANDS, height_px=32, width_px=32, frames=8
    )
    grid = Grid("EPSG:32631", (10.0, 0, 5e5, 0, -10.0, 5e6), 32, 32)
    scenes = [
        make_scene(settings, grid, (1, number), style)
        for number, style in enumerate(STYLES)
    ]
    draw_gallery(scenes, DEFAULT_BANDS, path)


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()
