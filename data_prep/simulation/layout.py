"""Streets and the blocks between them: a lattice, turned, bent and thinned."""

import dataclasses
import math

import numpy as np

from data_prep.simulation.frames import Frame
from data_prep.simulation.styles import Style
from data_prep.simulation.styles import draw
from data_prep.simulation.styles import find_style

_POINTS_PER_SIDE = 7
_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))


@dataclasses.dataclass(frozen=True)
class Street:
    """A piece of street.

    Attributes:
      line_m: [N, 2] centre line, metres (x right, y down).
      width_m: From edge to edge.
      paved: False for a dirt road.
    """

    line_m: np.ndarray
    width_m: float
    paved: bool


@dataclasses.dataclass(frozen=True)
class Block:
    """The land between streets.

    Attributes:
      sides_m: Four centre lines [N, 2] of the streets around it, in order;
        the block lies to the right hand of each (x right, y down).
      margins_m: Half the width of the street on each side, 0 where the
        street is missing.
      style: Kind of settlement.
      fill: How it is filled; a key of `style.fills`.
    """

    sides_m: tuple[np.ndarray, ...]
    margins_m: tuple[float, ...]
    style: Style
    fill: str

    @property
    def ring_m(self) -> np.ndarray:
        """[N, 2] outline, along the centre lines."""
        return np.concatenate([side[:-1] for side in self.sides_m])

    @property
    def centre(self) -> Frame:
        """Its middle, with the direction of the first side."""
        run = self.sides_m[0][-1] - self.sides_m[0][0]
        x, y = self.ring_m.mean(0)
        return Frame(float(x), float(y), math.atan2(run[1], run[0]))

    def shrunk_m(self, factor: float) -> np.ndarray:
        """[N, 2] outline, drawn towards its middle."""
        centre = self.ring_m.mean(0)
        return centre + (self.ring_m - centre) * factor


def make_layout(
    rng: np.random.Generator,
    *,
    height_m: float,
    width_m: float,
    styles: tuple[str, str],
) -> tuple[list[Street], list[Block]]:
    """Lays streets and blocks over a rectangle, and a little beyond it.

    Args:
      rng: Source of chance.
      height_m: Extent down.
      width_m: Extent to the right.
      styles: Main style, whose streets are laid, and the style of the blocks
        on the far side of a random line.

    Returns:
      Streets and blocks.
    """
    main, other = (find_style(name) for name in styles)
    across, along = _line_positions(rng, main, math.hypot(height_m, width_m))
    bend = _Bend(rng, main, (width_m / 2, height_m / 2))
    lines = _draw_streets(rng, main, len(along), len(across))
    border = rng.uniform(0, 2 * math.pi), rng.uniform(-0.2, 0.2) * width_m
    streets: list[Street] = []
    blocks: list[Block] = []
    reach = (width_m, height_m)
    cells = [
        (i, j) for i in range(len(along) - 1) for j in range(len(across) - 1)
    ]
    corners = np.array(
        [[(along[i + a], across[j + b]) for a, b in _CORNERS] for i, j in cells]
    )
    sides = bend.lines(corners, np.roll(corners, -1, axis=1))
    low, high = sides.min((1, 2)), sides.max((1, 2))
    near = np.all((high > -20) & (low < np.add(reach, 20)), axis=1)
    for number in np.flatnonzero(near):
        i, j = cells[number]
        edges = (("u", i, j), ("v", i + 1, j), ("u", i, j + 1), ("v", i, j))
        margins = []
        for edge, side in zip(edges, sides[number], strict=True):
            street = lines.get(edge)
            margins.append(street[0] / 2 if street else 0.0)
            if street and edge in (("u", i, j), ("v", i, j)):
                streets.append(Street(side, *street))
        style = main if _is_inside(sides[number], reach, border) else other
        fill = draw(rng, style.fills)
        blocks.append(Block(tuple(sides[number]), tuple(margins), style, fill))
    return streets, blocks


def _line_positions(
    rng: np.random.Generator, style: Style, diagonal_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where the lines across and along stand, centred on 0, metres."""
    short = rng.uniform(*style.block_m)
    long = short * rng.uniform(*style.elongation)
    positions = []
    for step in (short, long):
        number = math.ceil((diagonal_m + 80) / step) + 1
        steps = step * rng.uniform(0.85, 1.15, number)
        place = np.cumsum(steps)
        positions.append(place - place.mean())
    return positions[0], positions[1]


def _draw_streets(
    rng: np.random.Generator, style: Style, along: int, across: int
) -> dict[tuple[str, int, int], tuple[float, bool]]:
    """Width and paving of each piece of the lattice that exists."""
    found: dict[tuple[str, int, int], tuple[float, bool]] = {}
    for kind, lines, pieces in (("u", across, along), ("v", along, across)):
        for line in range(lines):
            width = rng.uniform(*style.street_m)
            paved = rng.random() >= style.unpaved
            is_main = rng.random() < 0.15
            if is_main:
                width, paved = rng.uniform(10, 14), True
            for piece in range(pieces):
                if is_main or rng.random() < style.keep:
                    i, j = (piece, line) if kind == "u" else (line, piece)
                    found[kind, i, j] = (width, paved)
    return found


class _Bend:
    """Turns and bends the straight lattice; smooth, so streets stay whole."""

    def __init__(
        self,
        rng: np.random.Generator,
        style: Style,
        centre_m: tuple[float, float],
    ) -> None:
        angle = rng.uniform(0, 2 * math.pi)
        self._turn = np.array(
            [
                [math.cos(angle), math.sin(angle)],
                [-math.sin(angle), math.cos(angle)],
            ]
        )
        self._centre = np.asarray(centre_m)
        self._offset = rng.uniform(-40, 40, 2)
        wavelength = rng.uniform(140, 320, 3)
        heading = rng.uniform(0, 2 * math.pi, 3)
        wave = 2 * math.pi / wavelength
        self._waves = wave * np.stack([np.cos(heading), np.sin(heading)])
        self._phase = rng.uniform(0, 2 * math.pi, 3)
        self._push = rng.normal(0, style.warp_m / 1.5, (3, 2))

    def lines(self, start_m: np.ndarray, end_m: np.ndarray) -> np.ndarray:
        """[..., N, 2] bent lines between lattice points [..., 2]."""
        share = np.linspace(0, 1, _POINTS_PER_SIDE)[:, None]
        straight = start_m[..., None, :] * (1 - share)
        straight = straight + end_m[..., None, :] * share
        turned = (straight + self._offset) @ self._turn
        push = np.sin(turned @ self._waves + self._phase) @ self._push
        return turned + push + self._centre


def _is_inside(
    sides: np.ndarray,
    reach: tuple[float, float],
    border: tuple[float, float],
) -> bool:
    """True on the main style's side of the border line."""
    angle, distance = border
    offset = sides.mean((0, 1)) - np.asarray(reach) / 2
    return bool(
        offset[0] * math.cos(angle) + offset[1] * math.sin(angle) < distance
    )
