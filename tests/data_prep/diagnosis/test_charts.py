import base64
import io

import matplotlib.image
import numpy as np

from data_prep.diagnosis.charts import draw_splits
from data_prep.diagnosis.charts import draw_values
from data_prep.diagnosis.charts import has_values
from data_prep.diagnosis.diagnose import diagnose
from data_prep.diagnosis.subject import Footprint


def _pixels(uri):
    content = base64.b64decode(uri.partition(",")[2])
    return matplotlib.image.imread(io.BytesIO(content))


def _has(picture, colour):
    """True if at least 30 pixels are of a colour, give or take."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    near = np.abs(picture[..., :3] - rgb).max(axis=-1) < 0.04
    return (near & (picture[..., 3] > 0.9)).sum() >= 30


def test_values_are_drawn_for_light_and_dark_pages(clear_ten, make_model):
    chart = draw_values(diagnose(clear_ten, make_model()))
    light, dark = _pixels(chart.light), _pixels(chart.dark)
    assert light.shape == dark.shape
    assert light[0, 0, 3] == dark[0, 0, 3] == 0  # the page shines through
    assert _has(light, "#222222")
    assert _has(dark, "#e8e8e8")
    for picture in (light, dark):  # the statistics' centre
        assert _has(picture, "#e69f00")
    assert not _has(_pixels(draw_values(diagnose(clear_ten)).light), "#e69f00")


def test_what_shows_nothing_has_no_chart(l2a, change):
    black = diagnose(change(l2a, lambda _, v: v * 0))
    assert not has_values(black.measured)
    assert draw_values(black) is None


def test_each_split_has_its_colour_on_the_map():
    places = [
        Footprint(
            key=str(i),
            split=split,
            crs="EPSG:32631",
            bounds=(5e5 + 4000 * i, 4e6, 5e5 + 4000 * i + 2000, 4.002e6),
        )
        for i, split in enumerate(("train", "test"))
    ]
    picture = _pixels(draw_splits(places).light)
    assert _has(picture, "#0072b2")
    assert _has(picture, "#d55e00")
    assert not _has(picture, "#e69f00")
    assert draw_splits([]) is None
