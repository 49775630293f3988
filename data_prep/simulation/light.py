"""Where the sun stands at the Sentinel-2 overpass, and the shadows it casts."""

import dataclasses
import datetime
import math

import cv2
import numpy as np

# Mean local solar time at the descending node; ESA Sentinel-2 User Handbook.
_OVERPASS_HOUR = 10.5
# Products are not made where the sun is lower; shadows stay finite.
_LOWEST_SUN_DEG = 18.0
MAX_SHADOW_M = 120.0


@dataclasses.dataclass(frozen=True)
class Sun:
    """Direction to the sun.

    Attributes:
      azimuth_deg: Clockwise from north.
      elevation_deg: Above the horizon.
    """

    azimuth_deg: float
    elevation_deg: float

    @property
    def toward_xy(self) -> tuple[float, float]:
        """Unit vector to the sun on the image: x right (east), y down."""
        azimuth = math.radians(self.azimuth_deg)
        return math.sin(azimuth), -math.cos(azimuth)


def sun_at_overpass(latitude_deg: float, time_utc_s: int) -> Sun:
    """The sun at 10:30 local solar time.

    Declination after Cooper 1969 (within 0.5 degrees), elevation and azimuth
    from spherical trigonometry.

    Args:
      latitude_deg: North positive.
      time_utc_s: Seconds since 1970; only its day of the year counts.

    Returns:
      The sun; never lower than 18 degrees.
    """
    day = (
        datetime.datetime.fromtimestamp(time_utc_s, datetime.UTC)
        .timetuple()
        .tm_yday
    )
    declination = math.radians(
        23.45 * math.sin(2 * math.pi * (284 + day) / 365)
    )
    latitude = math.radians(latitude_deg)
    hour = math.radians(15 * (_OVERPASS_HOUR - 12))
    east = -math.cos(declination) * math.sin(hour)
    north = math.cos(latitude) * math.sin(declination) - math.sin(
        latitude
    ) * math.cos(declination) * math.cos(hour)
    up = math.sin(latitude) * math.sin(declination) + math.cos(
        latitude
    ) * math.cos(declination) * math.cos(hour)
    elevation = math.degrees(math.atan2(up, math.hypot(east, north)))
    azimuth = math.degrees(math.atan2(east, north)) % 360
    return Sun(azimuth, max(elevation, _LOWEST_SUN_DEG))


def cast_shadows(height_m: np.ndarray, sun: Sun, pixel_m: float) -> np.ndarray:
    """Shadows of a surface on itself.

    A point is in shadow where the surface towards the sun rises above the
    ray. The highest ray over all distances is found by doubling: the answer
    for 2n steps joins two answers for n steps.

    Args:
      height_m: [h, w] float32, metres above the ground.
      sun: Direction to the sun.
      pixel_m: Size of a pixel.

    Returns:
      [h, w] float32: 0 in the sun, 1 in shadow, between at soft edges.
    """
    toward_x, toward_y = sun.toward_xy
    drop_m = pixel_m * math.tan(math.radians(sun.elevation_deg))
    highest = float(height_m.max(initial=0.0))
    reach_px = min(highest / max(drop_m, 1e-6), MAX_SHADOW_M / pixel_m)
    ray_m = np.full_like(height_m, -1e3)
    _shift_max(
        ray_m, height_m, round(toward_x), round(toward_y), np.float32(drop_m)
    )
    step = 1
    while step < reach_px:
        dx, dy = round(toward_x * step), round(toward_y * step)
        _shift_max(ray_m, ray_m.copy(), dx, dy, np.float32(drop_m * step))
        step *= 2
    # Half a metre of depth is half a shadow's edge (sun's disc, rough walls).
    return np.clip((ray_m - height_m) * np.float32(2.0), 0, 1)


def _shift_max(
    target: np.ndarray, source: np.ndarray, dx: int, dy: int, drop: np.float32
) -> None:
    """target(x, y) = max(target, source(x + dx, y + dy) - drop), in place."""
    height, width = target.shape
    if abs(dx) >= width or abs(dy) >= height:
        return
    into = target[max(0, -dy) : height - max(0, dy), :]
    into = into[:, max(0, -dx) : width - max(0, dx)]
    seen = source[max(0, dy) : height + min(0, dy), :]
    seen = seen[:, max(0, dx) : width + min(0, dx)]
    cv2.max(into, cv2.subtract(seen, float(drop)), into)
