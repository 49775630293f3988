"""From 50 cm reflectance to Sentinel-2 frames: optics, sampling, noise.

Reflectance comes as planes [C, h, w], simulated or real. Blur, sub-pixel
shift and sampling of one band are separable, so that a frame is
`rows @ plane @ columns.T` with two small matrices, exact for any shift.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from scipy.special import erf

from data_prep.simulation.clouds import CloudField
from data_prep.simulation.clouds import draw_clouds
from data_prep.simulation.conditions import haze_layer
from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import S2_NODATA_DN
from s2distill.data.bands import S2_QUANTIFICATION_DN

S2_PIXEL_M = 10.0
# Ground the optics see beyond the tile: 3.5 standard deviations of the widest
# blur (10.3 m), a shift of 9 m, and shadows that fall in from outside.
MARGIN_M = 72.0
# The MTF at Nyquist must lie within 0.15 and 0.30 (ESA Sentinel-2 User
# Handbook, 2015, section on radiometric requirements). Where in that range
# each focal plane lies is this model's choice: visible, near, short-wave.
_MTF_VISIBLE, _MTF_NEAR, _MTF_SHORT_WAVE = 0.27, 0.24, 0.18
# Geometric error between refined products, 1 sigma of each axis: ESA L1C
# Data Quality Report gives about 0.3 px multi-temporal registration.
_SHIFT_PX = 0.3
# SNR is stated at the reference radiance; as reflectance near 0.1 in the
# visible and 0.2 in the infrared (User Handbook table 1, converted).
_REFERENCE_REFLECTANCE = {"B2": 0.12, "B3": 0.11, "B4": 0.11}
_REFERENCE_INFRARED = 0.2
_BLOCK_ROWS = 32  # matrix rows at once: their columns are few
_ReflectanceAt = Callable[["FrameConditions"], np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameConditions:
    """What one date looks like.

    Attributes:
      time_utc_s: Seconds since 1970.
      shift_m: (x, y) by which the ground appears displaced.
      gain: Factor on all reflectance (sun angle, calibration, atmosphere).
      haze: Reflectance added at 490 nm.
      haze_depth: Optical depth at 490 nm of heavy haze; 0 on ordinary days.
    """

    time_utc_s: int
    shift_m: tuple[float, float]
    gain: float
    haze: float
    haze_depth: float = 0.0


@dataclasses.dataclass(frozen=True)
class Stack:
    """Frames of one place.

    Attributes:
      dn: [T, H, W, C] uint16; 0 = no data.
      valid: [T, H, W] uint8, 1 where the mask says that the ground is seen;
        right most of the time, as real masks are.
      time_utc_s: [T] int64, ascending.
      shift_m: [T, 2] float64, (x, y) by which each frame is displaced.
    """

    dn: np.ndarray
    valid: np.ndarray
    time_utc_s: np.ndarray
    shift_m: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class SensorSettings:
    """What does not change from place to place.

    Attributes:
      bands: Names, in the order of the planes.
      pixel_m: Size of a pixel of the planes.
      margin_m: Ground around the tile that the planes hold on each side;
        less than `MARGIN_M` (0 for a real image) repeats the weights of the
        border inwards.
      offset_dn: 0, or -1000 for products since baseline 04.00.
      cloudy: Share of frames wholly under cloud.
      partly_cloudy: Share of frames partly under cloud.
      haze_depth: Range of the optical depth of heavy haze, which no mask
        finds, over every frame; None for ordinary days.
    """

    bands: tuple[str, ...]
    pixel_m: float = 0.5
    margin_m: float = 0.0
    offset_dn: float = 0.0
    cloudy: float = 0.08
    partly_cloudy: float = 0.25
    haze_depth: tuple[float, float] | None = None


def simulate_stack(
    reflectance: np.ndarray | _ReflectanceAt,
    times_utc_s: np.ndarray,
    settings: SensorSettings,
    rng: np.random.Generator,
) -> Stack:
    """Makes the Sentinel-2 frames of a place.

    Args:
      reflectance: [C, h, w] float32 planes, bands first as rasterio reads
        them, the same in each frame; or a function from `FrameConditions`
        to such planes (sun and season change them). h and w less both
        margins must be a multiple of 10 m.
      times_utc_s: [T] seconds since 1970, ascending.
      settings: Bands, pixel size, margin, offset, share of clouds.
      rng: Source of shifts, haze, clouds and noise.

    Returns:
      T frames of the ground inside the margin. At least one frame is clear,
      so that no place is without ground truth.
    """
    number = len(times_utc_s)
    cover = draw_cover(rng, number, settings)
    conditions = [draw_conditions(rng, int(t)) for t in times_utc_s]
    if settings.haze_depth is not None:
        # A child's chance: all else stays as on ordinary days.
        depths = rng.spawn(1)[0].uniform(*settings.haze_depth, number)
        conditions = [
            dataclasses.replace(condition, haze_depth=float(depth))
            for condition, depth in zip(conditions, depths, strict=True)
        ]
    frames, masks = [], []
    for condition, kind in zip(conditions, cover, strict=True):
        planes = (
            reflectance(condition) if callable(reflectance) else reflectance
        )
        sampled = sample_planes(planes, condition.shift_m, settings)
        clouds = draw_clouds(rng, sampled.shape[1:], kind)
        frames.append(_expose(sampled, condition, clouds, settings, rng))
        masks.append(clouds.valid)
    return Stack(
        dn=np.stack(frames),
        valid=np.stack(masks),
        time_utc_s=np.asarray(times_utc_s, np.int64),
        shift_m=np.array([c.shift_m for c in conditions]),
    )


def draw_conditions(
    rng: np.random.Generator, time_utc_s: int
) -> FrameConditions:
    """Shift, gain and haze of a date."""
    shift = np.clip(rng.normal(0, _SHIFT_PX, 2), -0.9, 0.9) * S2_PIXEL_M
    return FrameConditions(
        time_utc_s=time_utc_s,
        shift_m=(float(shift[0]), float(shift[1])),
        gain=float(math.exp(rng.normal(0, 0.05))),
        haze=float(np.clip(rng.gamma(1.2, 0.006), 0, 0.06)),
    )


def draw_cover(
    rng: np.random.Generator, number: int, settings: SensorSettings
) -> list[str]:
    """A kind of `draw_clouds` for each frame; at least one is clear."""
    chance = rng.random(number)
    cover = np.full(number, "clear", dtype=object)
    cover[chance < settings.cloudy + settings.partly_cloudy] = "partly"
    cover[chance < settings.cloudy] = "cloudy"
    if number and not np.any(cover == "clear"):
        cover[rng.integers(number)] = "clear"
    return list(cover)


def sample_planes(
    planes: np.ndarray, shift_m: tuple[float, float], settings: SensorSettings
) -> np.ndarray:
    """Blurs, shifts and samples planes at 10 m.

    Args:
      planes: [C, h, w] float32.
      shift_m: (x, y) by which the ground appears displaced.
      settings: Bands, pixel size and margin.

    Returns:
      [C, H, W] float32. Bands of 20 m are sampled at 20 m, from the top
      left corner on, and each pixel is repeated: nearest neighbour, the
      default of Earth Engine and Sentinel Hub.
    """
    axes = []
    for size, shift in zip(planes.shape[1:], shift_m[::-1], strict=True):
        ground_m = size * settings.pixel_m - 2 * settings.margin_m
        count = round(ground_m / S2_PIXEL_M)
        if count < 1 or abs(count * S2_PIXEL_M - ground_m) > 1e-6:
            raise ValueError(
                f"{size} px of {settings.pixel_m} m less two margins of "
                f"{settings.margin_m} m are {ground_m} m, which is no "
                f"multiple of {S2_PIXEL_M} m"
            )
        axes.append((size, count, shift))
    sampled = np.empty((len(planes), axes[0][1], axes[1][1]), np.float32)
    known: dict[tuple[int, float], list[np.ndarray]] = {}
    for index, (band, plane) in enumerate(
        zip(settings.bands, planes, strict=True)
    ):
        kind = S2_BANDS[band].gsd_m, mtf_at_nyquist(band)
        if kind not in known:
            known[kind] = [
                _sampling_matrix(band, size, count, shift, settings)
                for size, count, shift in axes
            ]
        sampled[index] = _apply(known[kind][0], plane, known[kind][1])
    return sampled


def mtf_at_nyquist(band: str) -> float:
    """The MTF at Nyquist that this model gives a band."""
    wavelength_nm = S2_BANDS[band].wavelength_nm
    if wavelength_nm < 700:
        return _MTF_VISIBLE
    return _MTF_NEAR if wavelength_nm < 1000 else _MTF_SHORT_WAVE


def _sampling_matrix(
    band: str,
    size: int,
    count: int,
    shift_m: float,
    settings: SensorSettings,
) -> np.ndarray:
    """[count, size] float32 weights of one axis; rows sum to 1."""
    gsd_m = float(min(S2_BANDS[band].gsd_m, 20))
    detector = 2 / math.pi  # MTF of a square pixel at Nyquist, sinc(1/2)
    blur = mtf_at_nyquist(band) / detector
    sigma_m = gsd_m * math.sqrt(-2 * math.log(blur)) / math.pi
    source_m = (np.arange(size) + 0.5) * settings.pixel_m
    source_m += shift_m - settings.margin_m
    if gsd_m == S2_PIXEL_M:
        centres = (np.arange(count) + 0.5) * S2_PIXEL_M
        return _weights(source_m, centres, gsd_m, sigma_m)
    centres = (np.arange((count + 1) // 2) + 0.5) * gsd_m
    coarse = _weights(source_m, centres, gsd_m, sigma_m)
    return np.repeat(coarse, 2, axis=0)[:count]


def _weights(
    source_m: np.ndarray, centres_m: np.ndarray, gsd_m: float, sigma_m: float
) -> np.ndarray:
    """Pixel of `gsd_m` blurred by a Gaussian, at the sources; rows sum to 1."""
    pixel_m = float(source_m[1] - source_m[0])
    stride = round(gsd_m / pixel_m)
    # Beyond 3.5 sigma the rest is below 0.1 % of the weight.
    reach = math.ceil((gsd_m / 2 + 3.5 * sigma_m) / pixel_m)
    first = round(float(centres_m[0] - source_m[0]) / pixel_m)
    place = np.arange(-reach, reach + 1)
    # Pixels are whole sources apart: the weights are the same for each.
    offset = source_m[0] + (first + place) * pixel_m - centres_m[0]
    scale = sigma_m * math.sqrt(2)
    kernel = erf((offset + gsd_m / 2) / scale)
    kernel -= erf((offset - gsd_m / 2) / scale)
    size = len(source_m)
    weights = np.zeros((len(centres_m), size), np.float32)
    last = first + (len(centres_m) - 1) * stride + reach
    if first >= reach and last < size:
        # All inside: write the kernel down the diagonal at once.
        diagonal = np.lib.stride_tricks.as_strided(
            weights.reshape(-1)[first - reach :],
            (len(centres_m), len(kernel)),
            (4 * (size + stride), 4),
        )
        diagonal[:] = kernel / kernel.sum()
        return weights
    for row in range(len(centres_m)):
        left = first + row * stride - reach
        low, high = max(left, 0), min(left + len(kernel), size)
        if low < high:
            part = kernel[low - left : high - left]
            weights[row, low:high] = part / part.sum()
    return weights


def _apply(rows: np.ndarray, plane: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Gives rows @ plane @ cols.T; skips the zeros of the band matrices."""
    answer = np.empty((len(rows), len(cols)), np.float32)
    for top in range(0, len(rows), _BLOCK_ROWS):
        part = rows[top : top + _BLOCK_ROWS]
        used = _span(part)
        strip = part[:, used] @ plane[used]
        for left in range(0, len(cols), _BLOCK_ROWS):
            piece = cols[left : left + _BLOCK_ROWS]
            seen = _span(piece)
            answer[top : top + len(part), left : left + len(piece)] = (
                strip[:, seen] @ piece[:, seen].T
            )
    return answer


def _span(matrix: np.ndarray) -> slice:
    used = np.flatnonzero(matrix.any(0))
    return slice(int(used[0]), int(used[-1]) + 1)


def _expose(
    sampled: np.ndarray,
    condition: FrameConditions,
    clouds: CloudField,
    settings: SensorSettings,
    rng: np.random.Generator,
) -> np.ndarray:
    """Adds haze, clouds and noise, and quantises; [H, W, C] uint16."""
    light = np.float32(condition.gain) * (1 - clouds.shadow)
    ground = sampled * light
    nanometres = np.array(
        [S2_BANDS[name].wavelength_nm for name in settings.bands]
    )
    # Aerosol scattering falls with about the 1.3th power (Angstrom 1929).
    haze = condition.haze * (490 / nanometres) ** 1.3
    ground = ground + haze.astype(np.float32)[:, None, None]
    if condition.haze_depth:
        layer = haze_layer(condition.haze_depth, settings.bands)
        ground = ground * layer.contrast[:, None, None]
        ground = ground + layer.path[:, None, None]
    # Clouds are white to 1 um and darker in the short-wave infrared (ice).
    white = np.where(nanometres > 1500, 0.62, 1.0).astype(np.float32)
    bright = clouds.brightness[None] * white[:, None, None]
    seen = ground * (1 - clouds.opacity) + bright * clouds.opacity
    reference = np.array(
        [
            _REFERENCE_REFLECTANCE.get(name, _REFERENCE_INFRARED)
            for name in settings.bands
        ]
    )
    snr = np.array([S2_BANDS[name].snr for name in settings.bands])
    # Shot noise: its variance grows with the signal.
    spread = (reference / snr)[:, None, None] * np.sqrt(
        np.maximum(seen, 0.005) / reference[:, None, None]
    )
    noise = rng.standard_normal(seen.shape, np.float32)
    seen = seen + spread.astype(np.float32) * noise
    dn = np.round(seen * S2_QUANTIFICATION_DN - settings.offset_dn)
    dn = np.clip(dn, S2_NODATA_DN + 1, 65_535).astype(np.uint16)
    return np.ascontiguousarray(dn.transpose(1, 2, 0))
