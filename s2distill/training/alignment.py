"""Labels that lie beside the frames: each example's best shift.

Label and frames of a place are some metres apart, by a vector that differs
from place to place. Taken at face value, such labels teach blurred outlines.
Here every example picks, of a small range of shifts, the one at which the
masks it was answered fit its labels best, and the loss is taken there.

Nothing in that ties the map to the ground: a network that draws everything a
metre to the east finds labels that fit. So what the shifts have in common is
taken from each; frames and labels are registered, and on average lie on each
other.

A shift [rows, cols] is that of the target: at shift (2, -1) pixel (y, x) of the
answer is compared with pixel (y + 2, x - 1) of the target. Everything is
[B, h, w, 1] on the label grid.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from s2distill.errors import ConfigError

# What the farthest shift must gain, nats per pixel; nearer ones less, with the
# square of the distance. A network that is undecided yet fits any shift, and
# nothing else holds its map over the ground.
_COST_OF_FARTHEST = 0.05
_WHOLE = 0.9999  # mean of a cell of ones, but for rounding
_MEAN_RATE = 0.02  # share of a step in the mean shift


class ShiftFinder(keras.layers.Layer):
    """Finds shifts, and takes from them what they had in common so far.

    Attributes:
      radius_px: Longest shift, that mean apart.
      step_px: See `find_shifts`.
      mean_px: [2], over about the last fifty batches; no gradient moves it.
    """

    def __init__(
        self, *, radius_px: float, step_px: int, **kwargs: Any
    ) -> None:
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.radius_px = radius_px
        self.step_px = step_px
        self.mean_px = self.add_weight(
            shape=(2,),
            initializer="zeros",
            trainable=False,
            aggregation="mean",  # over replicas
            name="mean_px",
        )
        self.built = True  # whatever the shapes

    def call(
        self, masks: Sequence[tuple[Any, Any, Any]], training: bool = False
    ) -> Any:
        shifts = find_shifts(
            masks, radius_px=self.radius_px, step_px=self.step_px
        )
        if training:
            mean = ops.mean(ops.cast(shifts, "float32"), axis=0)
            self.mean_px.assign(
                self.mean_px + _MEAN_RATE * (mean - self.mean_px)
            )
        return shifts - ops.cast(ops.round(self.mean_px), "int32")


def make_shifts(radius_px: float, step_px: int) -> np.ndarray:
    """Shifts within a circle, nearest first.

    Args:
      radius_px: Longest shift.
      step_px: Between neighbours, per axis.

    Returns:
      [S, 2] int32 rows and columns; the first is [0, 0].

    Raises:
      ConfigError: If there is only the first.
    """
    reach = int(radius_px // step_px)
    if reach < 1:
        raise ConfigError(
            f"a label shift of {radius_px:g} px is less than its step of "
            f"{step_px} px; allow more, or 0 for none"
        )
    side = np.arange(-reach, reach + 1) * step_px
    shifts = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    length = np.hypot(*shifts.T)
    nearest_first = np.argsort(length, kind="stable")
    return shifts[nearest_first][np.sort(length) <= radius_px].astype(np.int32)


def find_shifts(
    masks: Sequence[tuple[Any, Any, Any]], *, radius_px: float, step_px: int
) -> Any:
    """The shift of each example at which its masks cost least.

    Cross-entropy is linear in the target, so its sum at all shifts is one
    correlation of logits with targets, done here on cells of `step_px`. At
    every shift the same logits are compared, those that no shift moves off the
    target; of cells, those whose pixels are all known. Between the steps, to a
    pixel, the shift is where a parabola through the neighbours has its least.

    Args:
      masks: (logits, probs, weight) of each; a weight of 0 is an unknown
        pixel, the size of others has no part.
      radius_px: Longest shift.
      step_px: Between neighbours, per axis, and side of a cell.

    Returns:
      [B, 2] int32, without gradient; [0, 0] where nothing is known.

    Raises:
      ConfigError: If the grid is so small, or the radius, that there is
        nothing to choose.
    """
    shifts = make_shifts(radius_px, step_px)
    reach = int(shifts.max()) // step_px
    _check_size(masks[0][0].shape, reach * step_px, step_px)
    logits, probs, known = zip(*masks, strict=True)
    logits = [_to_cells(ops.stop_gradient(x), step_px) for x in logits]
    known = [_to_cells(ops.cast(w > 0, "float32"), step_px) for w in known]
    known = [ops.cast(k > _WHOLE, "float32") for k in known]
    probs = [_to_cells(p, step_px) for p in probs]

    inner = ops.concatenate(logits, -1)[:, reach:-reach, reach:-reach]
    known = ops.concatenate(known, -1)
    nats = _correlate(
        ops.concatenate([ops.softplus(inner), -inner], -1),
        ops.concatenate([known, known * ops.concatenate(probs, -1)], -1),
        reach,
    )
    number = _correlate(ops.ones_like(inner), known, reach)
    side = 2 * reach + 1
    away = np.arange(-reach, reach + 1, dtype=np.float32) * step_px / radius_px
    square = (away[:, None] ** 2 + away**2).reshape(-1)
    costs = nats / ops.maximum(number, 1.0) + _COST_OF_FARTHEST * square
    at = (shifts // step_px + reach) @ [side, 1]
    best = ops.argmin(ops.take(costs, at, axis=1), axis=-1)
    coarse = ops.take(ops.convert_to_tensor(shifts), best, axis=0)
    fine = coarse + _refine(costs, coarse // step_px + reach, side, step_px)
    length = ops.sum(ops.square(ops.cast(fine, "float32")), -1, keepdims=True)
    return ops.where(length <= radius_px**2, fine, coarse)


def shift_targets(
    targets: Mapping[str, tuple[Any, ...]], shifts: Any
) -> dict[str, tuple[Any, ...]]:
    """The targets as they lie under the answers.

    Args:
      targets: (target, weight, ...) by name.
      shifts: [B, 2] int32.

    Returns:
      The same of the shifted targets; the weight is 0 where the shift asks for
      what lies outside.
    """
    shape = ops.shape(next(iter(targets.values()))[0])
    rows, row_inside = _move(shape[1], shifts[:, :1])
    cols, col_inside = _move(shape[2], shifts[:, 1:])
    first = ops.arange(shape[0])[:, None, None] * shape[1]
    index = (first + rows[:, :, None]) * shape[2] + cols[:, None, :]
    inside = row_inside[:, :, None, None] * col_inside[:, None, :, None]

    moved: dict[int, Any] = {}  # parts share weights

    def move(plane: Any) -> Any:
        if id(plane) not in moved:
            flat = ops.take(ops.reshape(plane, (-1,)), index, axis=0)
            moved[id(plane)] = flat[..., None]
        return moved[id(plane)]

    return {
        name: (move(target), move(weight) * inside, *map(move, others))
        for name, (target, weight, *others) in targets.items()
    }


def _to_cells(plane: Any, side: int) -> Any:
    return ops.average_pool(plane, side, padding="valid") if side > 1 else plane


def _correlate(inner: Any, outer: Any, reach: int) -> Any:
    """Sums of products at all shifts of one image over a larger one.

    Column by column with a matrix product, of which only the diagonals are
    used: ten times the arithmetic, at a small part of the time that a pass
    over the image for each shift takes.

    Args:
      inner: [B, h, w, C].
      outer: [B, h + 2 reach, w + 2 reach, C].
      reach: At least 1.

    Returns:
      [B, (2 reach + 1)^2], row by row.
    """
    batch, height, width, channels = ops.shape(inner)
    inner = ops.transpose(inner, (0, 2, 1, 3))
    inner = ops.reshape(inner, (batch, width, height * channels))
    outer = ops.transpose(outer, (0, 1, 3, 2))
    along = ops.arange(width)[:, None]
    across = ops.arange(width + 2 * reach)[None]
    diagonals = ops.stack(
        [
            ops.cast(across - along == shift, "float32")
            for shift in range(2 * reach + 1)
        ]
    )
    sums = []
    for shift in range(2 * reach + 1):
        rows = ops.reshape(
            outer[:, shift : shift + height],
            (batch, height * channels, width + 2 * reach),
        )
        products = ops.matmul(inner, rows)
        sums.append(ops.einsum("bwv,dwv->bd", products, diagonals))
    return ops.concatenate(sums, axis=-1)


def _refine(costs: Any, best: Any, side: int, step_px: int) -> Any:
    """From the best of [B, side^2] costs to the least of a parabola, px.

    Args:
      costs: At steps of rows and columns.
      best: [B, 2] int32, row and column of the least one.
      side: Number of rows and of columns.
      step_px: Length of a step.

    Returns:
      [B, 2] int32, half a step at most; 0 at the border of the costs.
    """
    index = best[:, 0] * side + best[:, 1]

    def cost(offset: int) -> Any:
        within = ops.clip(index + offset, 0, side * side - 1)
        return ops.take_along_axis(costs, within[:, None], axis=1)

    moves = []
    for axis, stride in enumerate((side, 1)):
        before, here, after = cost(-stride), cost(0), cost(stride)
        bend = before - 2 * here + after
        least = 0.5 * (before - after) / ops.where(bend > 1e-6, bend, 1.0)
        place = best[:, axis : axis + 1]
        inside = (place > 0) & (place < side - 1) & (bend > 1e-6)
        moves.append(ops.where(inside, ops.clip(least, -0.5, 0.5), 0.0))
    return ops.cast(ops.round(step_px * ops.concatenate(moves, -1)), "int32")


def _check_size(
    shape: Sequence[int | None], reach_px: int, step_px: int
) -> None:
    side = min((s for s in shape[1:3] if s is not None), default=None)
    if side is not None and side // step_px * step_px <= 2 * reach_px:
        raise ConfigError(
            f"labels of {shape[1]} x {shape[2]} px are too small to be shifted "
            f"by {reach_px} px to either side; take larger crops or a smaller "
            "shift"
        )


def _move(size: Any, shift: Any) -> tuple[Any, Any]:
    """Where [B, size] places of an axis come from, and if they are inside."""
    wanted = ops.arange(size)[None] + shift
    found = ops.clip(wanted, 0, size - 1)
    return found, ops.cast(wanted == found, "float32")
