"""Times of networks: what does not depend on the number of frames."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# Where the machine's own product runs at so much, the student may take so
# long: the bar of issue 4.
PRODUCT_GFLOPS = 200.0
FRAMES = 8  # at which networks are compared


def find_forward(cost: dict[str, Any], frames: int) -> dict[str, float] | None:
    """The forward pass of so many frames; None if it was not timed."""
    for one in cost["forward"]:
        if one["frames"] in (0, frames):
            return one
    return None


def at_reference_speed(forward: dict[str, float]) -> float:
    """Seconds per km2 where the product would run at 200 GFLOP/s."""
    speed = forward["product_gflops"] / PRODUCT_GFLOPS
    return forward["seconds_per_km2"] * speed


def fit_frames(forward: Sequence[dict[str, float]]) -> dict[str, float] | None:
    """A line through the times of several numbers of frames.

    Args:
      forward: As `time_network` gives them.

    Returns:
      fixed_seconds_per_km2, seconds_per_km2_and_frame, and
      largest_departure, the largest distance of a time from the line as a
      share of that time; None with fewer than three numbers of frames.
    """
    if len(forward) < 3:
        return None
    frames = np.array([one["frames"] for one in forward], np.float64)
    seconds = np.array([at_reference_speed(one) for one in forward])
    # Relative errors count: the times differ by a factor of several.
    slope, fixed = np.polyfit(frames, seconds, 1, w=1 / seconds)
    line = fixed + slope * frames
    return {
        "fixed_seconds_per_km2": float(fixed),
        "seconds_per_km2_and_frame": float(slope),
        "largest_departure": float(np.max(np.abs(seconds - line) / seconds)),
    }
