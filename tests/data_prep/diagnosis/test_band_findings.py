import pytest

from data_prep.diagnosis.band_findings import find_band_faults
from data_prep.diagnosis.measured import measure_subject

WHOSE = "the training statistics"


def _find(subject, statistics=None):
    return list(find_band_faults(measure_subject(subject), statistics, WHOSE))


def test_right_orders_are_silent_with_and_without_statistics(
    l2a, l1c, ten_bands, l2a_statistics
):
    for subject in (l2a, l1c, ten_bands):
        assert _find(subject) == []
        assert _find(subject, l2a_statistics) == []


@pytest.mark.parametrize("pair", [("B4", "B8"), ("B11", "B12"), ("B8", "B11")])
def test_unlike_bands_exchanged_are_an_error_by_spectra(
    clear_ten, swap_values, pair
):
    (finding,) = _find(swap_values(clear_ten, pair))
    assert (finding.code, finding.severity) == ("band_order", "error")
    assert f"what is called {pair[0]} looks like {pair[1]}" in finding.message


@pytest.mark.parametrize("pair", [("B4", "B8"), ("B11", "B12"), ("B6", "B3")])
def test_against_statistics_they_are_an_error_too(
    clear_ten, swap_values, l2a_statistics, pair
):
    (finding,) = _find(swap_values(clear_ten, pair), l2a_statistics)
    assert (finding.code, finding.severity) == ("band_order", "error")
    assert WHOSE in finding.message
    assert set(pair) <= set(finding.where)


@pytest.mark.parametrize(
    ("pair", "text"),
    [(("B2", "B4"), "B2 and B4 look exchanged"), (("B2", "B3"), "B3 looks")],
)
def test_visible_bands_exchanged_are_a_warning_or_with_statistics_an_error(
    clear_ten, swap_values, l2a_statistics, pair, text
):
    (finding,) = _find(swap_values(clear_ten, pair))
    assert finding.severity == "warning"
    assert finding.message.startswith(text)
    (finding,) = _find(swap_values(clear_ten, pair), l2a_statistics)
    assert finding.severity == "error"


def test_red_green_blue_infrared_under_our_names_is_a_warning(
    l2a, keep_bands, swap_values
):
    four = keep_bands(l2a, ("B2", "B3", "B4", "B8"))
    assert _find(four) == []
    (finding,) = _find(swap_values(four, ("B2", "B4")))
    assert finding.severity == "warning"
    assert "--file_bands=B4,B3,B2" in finding.message


def test_reversed_bands_are_an_error_though_no_order_is_found(l2a, change):
    (finding,) = _find(change(l2a, lambda _, v: v[..., ::-1]))
    assert finding.severity == "error"
    assert "in no order" in finding.message


def test_bands_that_look_alike_are_passed_over(clear_ten, swap_values):
    assert _find(swap_values(clear_ten, ("B8", "B8A"))) == []


def test_nothing_is_said_of_pictures_and_unknown_bands(
    make_subject, make_frame, clear_ten
):
    values = clear_ten.places[0].frames[1].values
    names = tuple(f"plane {i}" for i in range(10))
    assert _find(make_subject([make_frame(values, names)])) == []
    frame = make_frame(values, clear_ten.bands)
    assert _find(make_subject([frame], kind="image")) == []
