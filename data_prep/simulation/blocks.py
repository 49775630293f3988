"""Fills the blocks of a layout with buildings, yards, fields and ponds."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from data_prep.simulation.buildings import Building
from data_prep.simulation.buildings import Frame
from data_prep.simulation.buildings import RoofKind
from data_prep.simulation.buildings import draw_height_m
from data_prep.simulation.buildings import make_wings
from data_prep.simulation.layout import Block
from data_prep.simulation.occupancy import Occupancy
from data_prep.simulation.styles import STYLES
from data_prep.simulation.styles import Style
from data_prep.simulation.styles import draw

_SIDEWALK_M = 1.5


@dataclasses.dataclass(frozen=True)
class Patch:
    """Ground of one cover.

    Attributes:
      ring_m: [N, 2] outline.
      material: A key of `spectra.MATERIALS`.
      cars: Share of parking places that are taken; 0 where nobody parks.
    """

    ring_m: np.ndarray
    material: str
    cars: float = 0.0


class BlockFiller:
    """Fills blocks one after the other; what is taken stays taken."""

    def __init__(
        self, rng: np.random.Generator, occupancy: Occupancy, soil: str
    ) -> None:
        self.buildings: list[Building] = []
        self.patches: list[Patch] = []
        self.forests_m: list[np.ndarray] = []
        self._rng = rng
        self._occupancy = occupancy
        self._soil = soil

    def fill(self, block: Block) -> None:
        """Adds what `block.fill` asks for."""
        getattr(self, f"_fill_{block.fill}")(block)

    def _fill_houses(self, block: Block) -> None:
        rng, style = self._rng, block.style
        for side, margin in zip(block.sides_m, block.margins_m, strict=True):
            walk = _Walk(side)
            setback = rng.uniform(*style.setback_m)
            roof = draw(rng, style.roofs)
            while not walk.is_over:
                area = _draw_area(rng, style)
                aspect = rng.uniform(0.62, 1.5)
                length, depth = (
                    math.sqrt(area * aspect),
                    math.sqrt(area / aspect),
                )
                frame = walk.step(length + rng.uniform(*style.gap_m))
                if rng.random() < style.vacancy:
                    continue
                if rng.random() < 0.5:
                    roof = draw(rng, style.roofs)
                away = margin + _SIDEWALK_M + setback + rng.uniform(0, 2)
                frame = _turned(_moved(frame, away), rng.normal(0, 0.04))
                shape = "box"
                if area > 110 and rng.random() < 0.4:
                    shape = "l" if rng.random() < 0.65 else "t"
                self._add(
                    frame,
                    (length, depth),
                    shape,
                    self._roof_kind(style),
                    draw_height_m(rng, style.floors),
                    roof,
                )
                self._add_plot(frame, style, length, depth, away)

    def _add_plot(
        self,
        frame: Frame,
        style: Style,
        length: float,
        depth: float,
        away: float,
    ) -> None:
        """Driveway, yard, shed and pool of a house."""
        rng = self._rng
        chance = rng.random(4)
        if chance[0] < 0.55:
            place = rng.choice((-1, 1)) * (length / 2 - 1.0)
            self._pave(
                frame,
                (place - 1.8, place + 1.8),
                (-away, rng.uniform(0.2, 1.0) * depth),
                draw(rng, {"concrete": 3, "worn_asphalt": 2, "gravel": 2}),
                cars=0.4,
            )
        if chance[1] < 0.22:
            start = depth + rng.uniform(0, 2)
            self._pave(
                frame,
                (
                    -rng.uniform(0.2, 0.5) * length,
                    rng.uniform(0.2, 0.5) * length,
                ),
                (start, start + rng.uniform(4, 9)),
                draw(
                    rng,
                    {
                        "concrete": 2,
                        "gravel": 1,
                        "red_tile": 1,
                        self._soil: 1.5,
                    },
                ),
            )
        back = _moved(frame, depth + rng.uniform(4, 11))
        if chance[2] < 0.2:
            size = rng.uniform(4, 7), rng.uniform(4, 6)
            roof = draw(rng, style.roofs)
            self._add(back, size, "box", "flat", rng.uniform(2.3, 3.2), roof)
        elif chance[3] < 0.06:
            self._pave(back, (-3.5, 3.5), (0, 4), "pool")

    def _fill_terraces(self, block: Block) -> None:
        rng, style = self._rng, block.style
        for side, margin in zip(block.sides_m, block.margins_m, strict=True):
            walk = _Walk(side)
            setback = margin + _SIDEWALK_M + rng.uniform(*style.setback_m)
            depth = rng.uniform(9, 12)
            while not walk.is_over:
                frames = [
                    walk.step(rng.uniform(7, 10))
                    for _ in range(rng.integers(3, 9))
                ]
                walk.step(rng.uniform(4, 9))
                first, last = frames[0], frames[-1]
                chord = np.subtract(last.origin_m, first.origin_m)
                total = math.hypot(*chord)
                angle = math.atan2(chord[1], chord[0])
                roof = draw(rng, style.roofs)
                height = draw_height_m(rng, style.floors)
                unit = total / max(1, len(frames) - 1)
                for number in range(len(frames)):
                    origin = np.asarray(first.origin_m) + chord * (
                        number * unit / max(total, 1.0)
                    )
                    frame = _moved(Frame(tuple(origin), angle), setback)
                    if rng.random() < 0.2:
                        roof = draw(rng, style.roofs)
                    self._add(
                        frame,
                        (unit, depth),
                        "box",
                        "gable" if rng.random() < style.slanted else "flat",
                        height + rng.normal(0, 0.3),
                        roof,
                        gap_m=-1.0,
                    )

    def _fill_perimeter(self, block: Block) -> None:
        """Buildings wall to wall round the block, and some in the yard."""
        rng, style = self._rng, block.style
        yard = draw(
            rng, {"concrete": 2, "worn_asphalt": 2, "gravel": 1.5, "lawn": 2}
        )
        centre = block.ring_m.mean(0)
        self.patches.append(
            Patch(centre + (block.ring_m - centre) * 0.72, yard, 0.15)
        )
        depth = rng.uniform(10, 14)
        for side, margin in zip(block.sides_m, block.margins_m, strict=True):
            walk = _Walk(side)
            setback = margin + _SIDEWALK_M + style.setback_m[0]
            while not walk.is_over:
                length = rng.uniform(12, 26)
                frame = _moved(walk.step(length), setback)
                if rng.random() < style.vacancy:
                    continue
                shape = "box" if rng.random() < 0.7 else "l"
                deep = depth if shape == "box" else depth * 1.7
                self._add(
                    frame,
                    (length, deep),
                    shape,
                    self._roof_kind(style),
                    draw_height_m(rng, style.floors),
                    draw(rng, style.roofs),
                    gap_m=-1.0,
                )
        if rng.random() < 0.6:
            self._add_middle(block, "court" if rng.random() < 0.4 else "u")

    def _add_middle(self, block: Block, shape: str) -> None:
        rng = self._rng
        centre = block.ring_m.mean(0)
        frame = Frame(
            tuple(centre - (0, 12)), _angle_of(block) + rng.normal(0, 0.05)
        )
        size = rng.uniform(24, 42), rng.uniform(24, 34)
        roof = draw(rng, block.style.roofs)
        height = draw_height_m(rng, block.style.floors)
        self._add(frame, size, shape, "gable", height, roof)

    def _fill_slabs(self, block: Block) -> None:
        """Parallel apartment blocks on lawns, with parking between."""
        rng = self._rng
        length, depth = rng.uniform(32, 64), rng.uniform(11, 15)
        height = draw_height_m(rng, rng.uniform(3, 7))
        angle = _angle_of(block) + (math.pi / 2) * rng.integers(0, 2)
        roof = draw(rng, STYLES["estate"].roofs)
        self._scatter(
            block,
            angle,
            (length + rng.uniform(9, 16), depth + rng.uniform(16, 28)),
            lambda frame: self._add_slab(frame, (length, depth), height, roof),
        )

    def _add_slab(
        self, frame: Frame, size: tuple[float, float], height: float, roof: str
    ) -> None:
        rng = self._rng
        shape = draw(rng, {"box": 6, "l": 1, "u": 0.7, "t": 0.7})
        deep = size[1] if shape == "box" else size[1] * 2
        height = height + 3.0 * rng.integers(-1, 2)
        self._add(frame, (size[0], deep), shape, "flat", height, roof)
        if rng.random() < 0.6:
            self._pave(
                _moved(frame, deep + 3),
                (-size[0] / 2, size[0] / 2),
                (0, 11),
                "worn_asphalt",
                cars=0.6,
            )

    def _fill_towers(self, block: Block) -> None:
        rng = self._rng
        side = rng.uniform(17, 26)

        def add(frame: Frame) -> None:
            height = draw_height_m(rng, rng.uniform(7, 17))
            shape = draw(rng, {"box": 3, "t": 1, "l": 1})
            roof = draw(rng, STYLES["estate"].roofs)
            self._add(frame, (side, side), shape, "flat", height, roof)

        self._scatter(block, _angle_of(block), (side + 26, side + 30), add)

    def _fill_halls(self, block: Block) -> None:
        """Warehouses, shops and schools in paved yards."""
        rng = self._rng
        ring = block.ring_m
        centre = ring.mean(0)
        yard = draw(
            rng,
            {"worn_asphalt": 4, "concrete": 3, "gravel": 2, "dark_asphalt": 1},
        )
        if rng.random() < 0.85:
            inner = centre + (ring - centre) * rng.uniform(0.7, 0.86)
            self.patches.append(Patch(inner, yard, rng.uniform(0.05, 0.5)))
        size = rng.uniform(26, 62), rng.uniform(20, 42)
        pitch = size[0] + rng.uniform(8, 26), size[1] + rng.uniform(10, 26)

        def add(frame: Frame) -> None:
            scale = rng.uniform(0.55, 1.0, 2)
            shape = draw(rng, {"box": 5, "l": 2, "t": 0.5, "u": 0.5})
            roof = draw(rng, STYLES["commercial"].roofs)
            kind: RoofKind = "gable" if rng.random() < 0.25 else "flat"
            height = rng.uniform(4.5, 9) * math.exp(abs(rng.normal(0, 0.25)))
            extent = size[0] * scale[0], size[1] * scale[1]
            self._add(frame, extent, shape, kind, height, roof)

        self._scatter(block, _angle_of(block), pitch, add)

    def _fill_farm(self, block: Block) -> None:
        """A yard with a house and barns, among fields."""
        rng = self._rng
        self._fill_field(block)
        side = block.sides_m[rng.integers(4)]
        walk = _Walk(side)
        frame = walk.step(walk.length * rng.uniform(0.6, 1.2))
        frame = _moved(frame, rng.uniform(12, 24))
        yard = draw(rng, {self._soil: 3, "gravel": 2, "concrete": 1.5})
        self._pave(frame, (-26, 26), (-4, 38), yard)
        self._pave(frame, (-30, 30), (36, 44), "lawn")
        for _ in range(rng.integers(2, 6)):
            place = Frame(
                tuple(
                    np.asarray(frame.origin_m)
                    + _rotate((rng.uniform(-20, 20), rng.uniform(0, 28)), frame)
                ),
                frame.angle_rad + (math.pi / 2) * rng.integers(0, 2),
            )
            size = rng.uniform(11, 34), rng.uniform(8, 15)
            roof = draw(rng, block.style.roofs | {"rusty_metal": 2.5})
            height = rng.uniform(3.5, 8)
            shape = "l" if rng.random() < 0.2 else "box"
            self._add(place, size, shape, "gable", height, roof)

    def _fill_field(self, block: Block) -> None:
        rng = self._rng
        covers = {
            "crop": 4,
            "meadow": 3,
            "stubble": 2,
            "dry_grass": 1,
            self._soil: 2,
        }
        ring = block.ring_m
        parts = rng.integers(1, 4)
        cuts = np.linspace(0, 1, parts + 1)
        near, far = block.sides_m[0], block.sides_m[2][::-1]
        for low, high in zip(cuts[:-1], cuts[1:], strict=True):
            strip = np.concatenate(
                [
                    near * (1 - low) + far * low,
                    (near * (1 - high) + far * high)[::-1],
                ]
            )
            self.patches.append(Patch(strip, draw(rng, covers)))
        self._occupancy.take(ring.mean(0) + (ring - ring.mean(0)) * 0.4)

    def _fill_park(self, block: Block) -> None:
        rng = self._rng
        centre = block.ring_m.mean(0)
        inner = centre + (block.ring_m - centre) * 0.93
        self.patches.append(
            Patch(inner, draw(rng, {"lawn": 4, "meadow": 2, "dry_grass": 1}))
        )
        if rng.random() < 0.5:
            self.forests_m.append(centre + (inner - centre) * 0.5)
        if rng.random() < 0.4:
            self._pave(
                Frame(
                    tuple(centre + rng.uniform(-15, 15, 2)), _angle_of(block)
                ),
                (-9, 9),
                (0, 34),
                draw(
                    rng,
                    {
                        "red_tile": 1,
                        "blue_metal": 0.6,
                        "lawn": 1,
                        self._soil: 1,
                    },
                ),
            )

    def _fill_forest(self, block: Block) -> None:
        centre = block.ring_m.mean(0)
        shrink = self._rng.uniform(0.75, 1.0)
        self.forests_m.append(centre + (block.ring_m - centre) * shrink)
        self._occupancy.take(block.ring_m)

    def _fill_pond(self, block: Block) -> None:
        rng = self._rng
        centre = block.ring_m.mean(0)
        angle = np.linspace(0, 2 * math.pi, 24, endpoint=False)
        reach = np.ptp(block.ring_m, axis=0) / 2
        wobble = 1 + 0.2 * np.sin(2 * angle + rng.uniform(0, 6))
        wobble += 0.12 * np.sin(3 * angle + rng.uniform(0, 6))
        scale = rng.uniform(0.25, 0.5) * reach
        ring = np.stack([np.cos(angle), np.sin(angle)], 1) * wobble[:, None]
        shore = centre + ring * scale
        self.patches.append(Patch(centre + ring * (scale + 5), "meadow"))
        self.patches.append(Patch(shore, "water"))
        self._occupancy.take(shore)

    def _fill_bare(self, block: Block) -> None:
        centre = block.ring_m.mean(0)
        cover = draw(self._rng, {self._soil: 3, "gravel": 1, "dry_grass": 2})
        inner = centre + (block.ring_m - centre) * 0.9
        self.patches.append(Patch(inner, cover))
        if self._rng.random() < 0.5:
            self._add_middle(block, "box")

    def _scatter(
        self,
        block: Block,
        angle: float,
        pitch_m: tuple[float, float],
        add: Callable[[Frame], None],
    ) -> None:
        """Calls `add` on a turned lattice of places inside a block."""
        ring = block.ring_m
        centre = ring.mean(0)
        reach = float(np.abs(ring - centre).max())
        lines = [math.ceil(reach / p) for p in pitch_m]
        axis = np.array([math.cos(angle), math.sin(angle)])
        across = np.array([-axis[1], axis[0]])
        radius = np.hypot(*(ring - centre).T)
        bearing = np.arctan2(*(ring - centre).T[::-1])
        order = np.argsort(bearing)
        for i in range(-lines[0], lines[0] + 1):
            for j in range(-lines[1], lines[1] + 1):
                offset = axis * i * pitch_m[0] + across * j * pitch_m[1]
                limit = np.interp(
                    math.atan2(offset[1], offset[0]),
                    bearing[order],
                    radius[order],
                    period=2 * math.pi,
                )
                if math.hypot(*offset) < limit - 0.25 * min(pitch_m):
                    start = centre + offset - across * pitch_m[1] * 0.3
                    add(Frame(tuple(start), angle))

    def _roof_kind(self, style: Style) -> RoofKind:
        if self._rng.random() >= style.slanted:
            return "flat"
        return "gable" if self._rng.random() < 0.6 else "hip"

    def _pave(
        self,
        frame: Frame,
        along: tuple[float, float],
        deep: tuple[float, float],
        material: str,
        cars: float = 0.0,
    ) -> None:
        ring = frame.wing(along, deep, "flat").corners_m()
        self.patches.append(Patch(ring, material, cars))

    def _add(
        self,
        frame: Frame,
        size: tuple[float, float],
        shape: str,
        roof: RoofKind,
        height: float,
        material: str,
        *,
        gap_m: float = 0.8,
    ) -> None:
        """Adds a building if its ground is free."""
        wings = make_wings(
            self._rng,
            frame,
            length_m=size[0],
            depth_m=size[1],
            shape=shape,
            roof=roof,
        )
        if not all(self._occupancy.is_free(w.corners_m(gap_m)) for w in wings):
            return
        for wing in wings:
            self._occupancy.take(wing.corners_m(-0.5))
        bright = float(math.exp(self._rng.normal(0, 0.2)))
        self.buildings.append(Building(wings, height, material, bright))


class _Walk:
    """Walks along a line, plot by plot."""

    def __init__(self, line_m: np.ndarray) -> None:
        self._line = line_m
        pieces = np.hypot(*np.diff(line_m, axis=0).T)
        self._along = np.concatenate([[0.0], np.cumsum(pieces)])
        self._at = 6.0

    @property
    def length(self) -> float:
        return float(self._along[-1])

    @property
    def is_over(self) -> bool:
        return self._at > self.length - 10.0

    def step(self, distance_m: float) -> Frame:
        """The middle of the next plot, facing away from the street."""
        middle = self._at + distance_m / 2
        self._at += distance_m
        x, y = (np.interp(middle, self._along, c) for c in self._line.T)
        piece = min(
            int(np.searchsorted(self._along, middle)), len(self._along) - 1
        )
        piece = max(piece, 1)
        run = self._line[piece] - self._line[piece - 1]
        return Frame((float(x), float(y)), math.atan2(run[1], run[0]))


def _draw_area(rng: np.random.Generator, style: Style) -> float:
    median, spread = style.house_m2
    return float(np.clip(median * math.exp(rng.normal(0, spread)), 45, 420))


def _rotate(offset: tuple[float, float], frame: Frame) -> np.ndarray:
    c, s = math.cos(frame.angle_rad), math.sin(frame.angle_rad)
    return np.array(
        [c * offset[0] - s * offset[1], s * offset[0] + c * offset[1]]
    )


def _moved(frame: Frame, away_m: float) -> Frame:
    origin = np.asarray(frame.origin_m) + _rotate((0.0, away_m), frame)
    return Frame((float(origin[0]), float(origin[1])), frame.angle_rad)


def _turned(frame: Frame, angle_rad: float) -> Frame:
    return Frame(frame.origin_m, frame.angle_rad + angle_rad)


def _angle_of(block: Block) -> float:
    run = block.sides_m[0][-1] - block.sides_m[0][0]
    return math.atan2(run[1], run[0])
