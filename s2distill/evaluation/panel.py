"""Example panels: what went in, what each model saw in it, what is there."""

import dataclasses
import os
from collections.abc import Mapping
from collections.abc import Sequence

import matplotlib.patheffects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from s2distill.evaluation import drawing
from s2distill.evaluation.segmentation import iou
from s2distill.evaluation.segmentation import sum_confusion

_COLUMNS = 3
_STRETCH_PERCENT = (1.0, 99.5)
_SCALE_BARS_M = (10, 20, 50, 100, 200, 500, 1000)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """One tile and what models made of it.

    Attributes:
      title: What the tile is, for example its key.
      side_m: Width of the tile on the ground.
      frame_rgb: [H, W, 3] one frame for display, 0 to 1.
      mean_rgb: [H, W, 3] mean of the frames for display.
      frames: Number of frames in that mean.
      image_rgb: [h, w, 3] 50 cm image, 0 to 1; None if the tile has none.
      truth: "building" and "road" -> [h, w], 1 where it is; one may lack.
      known: [h, w], above 0 where buildings are known.
      answers: Name of a model -> "building" and "road" -> [h, w] probs.
    """

    title: str
    side_m: float
    frame_rgb: np.ndarray
    mean_rgb: np.ndarray
    frames: int
    image_rgb: np.ndarray | None
    truth: Mapping[str, np.ndarray]
    known: np.ndarray
    answers: Mapping[str, Mapping[str, np.ndarray]]


def make_frame_pictures(
    s2: np.ndarray,
    frame_valid: np.ndarray,
    *,
    centre: Sequence[float],
    scale: Sequence[float],
    rgb: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """The clearest frame and the mean of the frames, for display.

    Normalisation is undone, reflectance = x * scale + centre; then both are
    stretched alike, by percentiles of the mean over all three bands, which
    keeps the colours. Pixels never seen are grey.

    Args:
      s2: [T, H, W, C] normalised frames.
      frame_valid: [T, H, W], above 0 where the ground is seen.
      centre: Reflectance that became 0, of each of the C bands.
      scale: Reflectance that became a difference of 1.
      rgb: Positions of red, green, blue among the bands.

    Returns:
      ([H, W, 3], [H, W, 3]) float in 0 to 1.
    """
    rgb = list(rgb)
    reflectance = (
        s2[..., rgb] * np.asarray(scale)[rgb] + np.asarray(centre)[rgb]
    )
    seen = (frame_valid > 0)[..., np.newaxis]
    times = seen.sum(axis=0)
    mean = np.where(seen, reflectance, 0).sum(axis=0) / np.maximum(times, 1)
    clearest = int(np.argmax(seen.sum(axis=(1, 2, 3))))
    low, high = 0.0, 1.0
    if np.any(times):
        low, high = np.percentile(mean[times[..., 0] > 0], _STRETCH_PERCENT)
    return tuple(
        np.where(
            inside,
            np.clip((plane - low) / max(high - low, 1e-6), 0, 1),
            to_rgb(drawing.NO_DATA),
        )
        for plane, inside in (
            (reflectance[clearest], seen[clearest]),
            (mean, times > 0),
        )
    )


def paint_map(
    building: np.ndarray | None,
    road: np.ndarray | None,
    known: np.ndarray | None = None,
) -> np.ndarray:
    """A map in colours; the surer, the stronger.

    Args:
      building: [h, w] in 0 to 1, or None.
      road: [h, w] in 0 to 1, or None; buildings lie over roads.
      known: [h, w]; grey where it is not above 0.

    Returns:
      [h, w, 3] float in 0 to 1.
    """
    shape = next(x for x in (building, road) if x is not None).shape
    picture = np.broadcast_to(to_rgb(drawing.GROUND), (*shape, 3))
    for probs, colour in ((road, drawing.ROAD), (building, drawing.BUILDING)):
        if probs is not None:
            p = np.clip(probs, 0, 1)[..., np.newaxis]
            picture = picture * (1 - p) + np.array(to_rgb(colour)) * p
    if known is not None:
        picture = np.where(
            (known > 0)[..., np.newaxis], picture, to_rgb(drawing.NO_DATA)
        )
    return picture


def draw_panel(path: str | os.PathLike[str], example: Example) -> None:
    """One example, three pictures in a row.

    Args:
      path: PNG to write.
      example: What to draw; a picture for each model.
    """
    pictures = _list_pictures(example)
    rows = -(-len(pictures) // _COLUMNS)
    with drawing.house_style():
        figure = Figure(
            figsize=(3.5 * _COLUMNS, 3.75 * rows + 0.7), layout="constrained"
        )
        figure.suptitle(
            example.title,
            x=0.008,
            ha="left",
            fontsize=9.5,
            color=drawing.FAINT,
        )
        for index, (title, picture) in enumerate(pictures):
            axes = figure.add_subplot(rows, _COLUMNS, index + 1)
            _draw_picture(axes, picture, title, example.side_m)
            if index == 0:
                _draw_scale_bar(axes, example.side_m)
        _draw_legend(figure, [example])
        drawing.save_figure(figure, path)


def draw_contact_sheet(
    path: str | os.PathLike[str], examples: Sequence[Example]
) -> None:
    """All examples, one in each row, titles above the first.

    Args:
      path: PNG to write.
      examples: At least one, with answers of the same models.
    """
    table = [_list_pictures(example) for example in examples]
    columns = max(len(row) for row in table)
    with drawing.house_style():
        figure = Figure(
            figsize=(2.55 * columns, 2.62 * len(table) + 0.9),
            layout="constrained",
        )
        for row, (example, pictures) in enumerate(
            zip(examples, table, strict=True)
        ):
            for column, (title, picture) in enumerate(pictures):
                axes = figure.add_subplot(
                    len(table), columns, row * columns + column + 1
                )
                # What differs from row to row is the score alone.
                score = title.partition("\n")[2]
                below = score if "IoU" in score else ""
                _draw_picture(
                    axes, picture, below if row else title, example.side_m
                )
                if column == 0:
                    _draw_scale_bar(axes, example.side_m)
        _draw_legend(figure, examples)
        drawing.save_figure(figure, path)


def _list_pictures(example: Example) -> list[tuple[str, np.ndarray]]:
    """(title, picture) in the order of the story: seen, answered, true."""
    s2_m = example.side_m / example.frame_rgb.shape[1]
    label_m = example.side_m / example.known.shape[1]
    pictures = [
        (f"One Sentinel-2 frame\n{s2_m:g} m pixels", example.frame_rgb),
        (
            f"Mean of {example.frames} frames\n{s2_m:g} m pixels",
            example.mean_rgb,
        ),
    ]
    if example.image_rgb is not None:
        pictures.append((f"Image\n{label_m:g} m pixels", example.image_rgb))
    for name, answer in example.answers.items():
        title = f"{drawing.model_title(name).capitalize()}\n"
        pictures.append(
            (
                title + _score_text(answer, example),
                paint_map(answer.get("building"), answer.get("road")),
            )
        )
    truth = paint_map(
        example.truth.get("building"), example.truth.get("road"), example.known
    )
    return [*pictures, (f"Truth\n{label_m:g} m pixels", truth)]


def _score_text(answer: Mapping[str, np.ndarray], example: Example) -> str:
    if "building" not in example.truth:
        return ""
    score = float(
        iou(
            sum_confusion(
                answer["building"], example.truth["building"], example.known
            )
        )
    )
    return "no building" if np.isnan(score) else f"building IoU {score:.2f}"


def _draw_picture(
    axes: Axes, picture: np.ndarray, title: str, side_m: float
) -> None:
    height_m = side_m * picture.shape[0] / picture.shape[1]
    axes.imshow(
        picture, interpolation="nearest", extent=(0, side_m, 0, height_m)
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title, fontsize=9.5, linespacing=1.25)


def _draw_scale_bar(axes: Axes, side_m: float) -> None:
    length_m = max(
        (m for m in _SCALE_BARS_M if m <= side_m / 3), default=_SCALE_BARS_M[0]
    )
    outline = [
        matplotlib.patheffects.withStroke(linewidth=3.5, foreground="black")
    ]
    start = y = 0.05 * side_m
    axes.plot(
        [start, start + length_m],
        [y, y],
        color="white",
        linewidth=2,
        solid_capstyle="butt",
        path_effects=outline,
    )
    axes.text(
        start + length_m / 2,
        y + 0.02 * side_m,
        f"{length_m} m",
        color="white",
        ha="center",
        va="bottom",
        fontsize=9,
        fontweight="bold",
        path_effects=[
            matplotlib.patheffects.withStroke(linewidth=2, foreground="black")
        ],
    )


def _draw_legend(figure: Figure, examples: Sequence[Example]) -> None:
    patches = [
        Patch(color=drawing.BUILDING, label="building"),
        Patch(color=drawing.ROAD, label="road"),
        Patch(color=drawing.GROUND, label="neither (paler = less sure)"),
    ]
    if any(np.any(example.known <= 0) for example in examples):
        patches.append(Patch(color=drawing.NO_DATA, label="truth unknown"))
    figure.legend(
        handles=patches, loc="outside lower center", ncols=len(patches)
    )
