import base64
import io

import matplotlib.image
import numpy as np

from data_prep.diagnosis.measured import measure_subject
from data_prep.diagnosis.pictures import find_stretch
from data_prep.diagnosis.pictures import mask_picture
from data_prep.diagnosis.pictures import shown_bands
from data_prep.diagnosis.pictures import to_data_uri
from data_prep.diagnosis.pictures import true_colour


def _looks(subject):
    return measure_subject(subject).places[0].looks


def test_a_raised_frame_is_paler_and_a_black_one_is_not_seen(l2a, change):
    def spoil(i, values):
        return values * (i != 3) + 1000 * (i == 5)

    looks = _looks(change(l2a, spoil))
    stretch = find_stretch(looks)
    natural, raised = (true_colour(looks[i], stretch) for i in (6, 5))
    assert np.median(raised) > np.median(natural) + 60
    black = true_colour(looks[3], stretch)
    assert (black == black[0, 0]).all()
    assert mask_picture(looks[3]).max() < 100
    assert mask_picture(looks[6]).min() > 200


def test_clouds_do_not_set_the_stretch(l2a):
    low, high = find_stretch(_looks(l2a))
    assert 0 < low < 300
    assert 800 < high < 3000


def test_a_few_pixels_are_enough_to_look_at(make_frame, make_subject):
    values = np.linspace(300, 3000, 4 * 5 * 3).reshape(4, 5, 3)
    looks = _looks(make_subject([make_frame(values, ("B2", "B3", "B4"))]))
    low, high = find_stretch(looks)
    assert 250 < low < 600
    assert 2500 < high < 3100


def test_red_is_red(make_frame, make_subject):
    values = np.full((20, 30, 3), 300) + np.arange(30)[:, None]
    values[:5, :, 2] = 3000  # B4
    (look,) = _looks(make_subject([make_frame(values, ("B2", "B3", "B4"))]))
    picture = true_colour(look, (300, 3000))
    assert picture.shape == (20, 30, 3)
    assert picture[2, 3, 0] == 255
    assert picture[2, 3, 1:].max() < 20


def test_other_bands_are_shown_as_they_come(make_frame, make_subject):
    rng = np.random.default_rng(0)
    one = make_subject([make_frame(rng.random((9, 9, 1)) + 1, ("VV",))])
    measured = measure_subject(one)
    assert shown_bands(measured) == "VV, shown as grey"
    assert true_colour(measured.places[0].looks[0], (1, 2)).shape == (9, 9, 3)
    names = ("a", "b", "c", "d")
    four = make_subject([make_frame(rng.random((9, 9, 4)) + 1, names)])
    assert shown_bands(measure_subject(four)) == "a, b, c as red, green, blue"


def test_the_stretch_of_nothing_is_harmless(l2a, change):
    looks = _looks(change(l2a, lambda _, v: v * 0))
    assert find_stretch(looks) == (0.0, 1.0)


def test_large_pictures_are_thinned(make_frame, make_subject):
    values = np.random.default_rng(0).integers(1, 99, (600, 900, 3))
    (look,) = _looks(make_subject([make_frame(values, ("B2", "B3", "B4"))]))
    assert max(true_colour(look, (0, 99)).shape) <= 256


def test_a_data_uri_holds_the_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    head, _, content = to_data_uri(picture).partition(",")
    assert head == "data:image/png;base64"
    back = matplotlib.image.imread(io.BytesIO(base64.b64decode(content)))
    np.testing.assert_array_equal(np.rint(back[..., :3] * 255), picture)
