"""Places with a direction, and walks along streets."""

import bisect
import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Frame:
    """A place and a direction: u along the street, v away from it.

    Attributes:
      x_m: To the right.
      y_m: Down.
      angle_rad: Direction of u, from x towards y.
    """

    x_m: float
    y_m: float
    angle_rad: float

    def place_m(self, along_m: float, away_m: float) -> tuple[float, float]:
        """The point (x, y) so far along and so far away."""
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return (
            self.x_m + c * along_m - s * away_m,
            self.y_m + s * along_m + c * away_m,
        )

    def moved(self, along_m: float, away_m: float) -> "Frame":
        """The same direction, from another place."""
        return Frame(*self.place_m(along_m, away_m), self.angle_rad)

    def turned(self, angle_rad: float) -> "Frame":
        """Another direction, from the same place."""
        return Frame(self.x_m, self.y_m, self.angle_rad + angle_rad)


class Walk:
    """Walks along a line, plot by plot."""

    _FIRST_M = 5.0  # corners belong to the crossing
    _LAST_M = 8.0

    def __init__(self, line_m: np.ndarray) -> None:
        self._points = line_m.tolist()
        self._along = [0.0]
        for (x0, y0), (x1, y1) in zip(
            self._points[:-1], self._points[1:], strict=True
        ):
            self._along.append(self._along[-1] + math.hypot(x1 - x0, y1 - y0))
        self._at = self._FIRST_M

    @property
    def length_m(self) -> float:
        """From end to end."""
        return self._along[-1]

    @property
    def is_over(self) -> bool:
        """True when no plot is left."""
        return self._at > self.length_m - self._LAST_M

    def step(self, distance_m: float) -> Frame:
        """The middle of the next plot; v points to the right of the walk."""
        middle = self._at + distance_m / 2
        self._at += distance_m
        piece = bisect.bisect_right(self._along, middle) - 1
        piece = min(max(piece, 0), len(self._points) - 2)
        (x0, y0), (x1, y1) = self._points[piece : piece + 2]
        length = max(self._along[piece + 1] - self._along[piece], 1e-6)
        share = (middle - self._along[piece]) / length
        return Frame(
            x0 + (x1 - x0) * share,
            y0 + (y1 - y0) * share,
            math.atan2(y1 - y0, x1 - x0),
        )
