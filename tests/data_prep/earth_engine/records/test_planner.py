"""What a run costs, by hand."""

import pytest

from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.planner import find_largest_m
from data_prep.earth_engine.records.planner import format_plan
from data_prep.earth_engine.records.planner import make_plan

TEN_BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
RECIPE = Recipe(
    bands=TEN_BANDS,
    image="USDA/NAIP/DOQQ",
    buildings="b",
    roads="TIGER/2016/Roads",
)
# 32 frames of 10 bands (2 bytes) and 12 bytes of facts, and a guard of 4.
STACK_BYTES = 32 * (20 + 12) + 4
# red, green, blue, valid, day 2; labelled, building, centroids; road; guard.
FINE_BYTES = 3 + 1 + 2 + 3 + 1 + 4


def _make_places(count, tile_px=32, split="train"):
    return [
        place_at(
            "EPSG:32616",
            2_000 + n % 100,
            11_000 + n // 100,
            tile_px,
            split=split,
        )
        for n in range(count)
    ]


def _plan(places, recipe=RECIPE, **changes):
    keywords = {
        "kept": 0,
        "records_per_shard": 64,
        "requests_in_flight": 40,
        "requests_per_s": 100.0,
        "answer_s": 2.0,
    }
    return make_plan(places, make_layers(recipe), **{**keywords, **changes})


@pytest.mark.parametrize(
    ("kind", "side_px"), [("uint16", 280), ("float32", 198)]
)
def test_32_frames_of_10_bands_fit_as_the_design_says(kind, side_px):
    layer = Layer("s2", 1, {f"b{n}": kind for n in range(320)})
    assert find_largest_m(layer) == 10 * side_px


def test_what_is_known_of_each_frame_costs_59_pixels_of_the_side():
    stack, fine = make_layers(RECIPE)
    assert stack.pixel_bytes == STACK_BYTES == 1_028
    # isqrt(50,331,648 / 1,028) = 221; isqrt(50,331,648 / 14) = 1,896, which
    # are 94 whole Sentinel-2 pixels of 20.
    assert find_largest_m(stack) == 2_210
    assert fine.pixel_bytes == FINE_BYTES == 14
    assert find_largest_m(fine) == 940


def test_more_than_1024_bands_never_come_in_one_request():
    types = {f"b{n}": "uint8" for n in range(1_024)}
    # 50,331,648 / 1,024 = 49,152: 221 squared is 48,841.
    assert find_largest_m(Layer("s2", 1, types)) == 2_210
    assert find_largest_m(Layer("s2", 1, {**types, "more": "uint8"})) == 0


def test_a_thousand_places_by_hand():
    plan = _plan(_make_places(1_000))
    assert [part.pixels for part in plan.layers] == [32, 640]
    assert [part.requests for part in plan.layers] == [1, 1]
    assert [part.bytes for part in plan.layers] == [
        32 * 32 * STACK_BYTES,
        640 * 640 * FINE_BYTES,
    ]
    assert plan.requests == 2_000
    assert plan.bytes == 1_000 * (1_052_672 + 5_734_400)
    # 40 at one time, 2 s each: 20 a second.
    assert plan.per_s == 20
    assert plan.time_s == 100
    assert plan.by_split == {"train": 1_000}
    assert plan.shards == {"train": 16}


def test_places_larger_than_an_answer_take_several_requests():
    recipe = Recipe(bands=TEN_BANDS, weak_labels="w")
    plan = _plan(_make_places(3, tile_px=256), recipe)
    stack, fine = plan.layers
    # 256 x 256 x 1,028 is 67 MB, two groups of bands; 5,120 x 5,120 x 10 is
    # 262 MB for so few bands that the ground is cut in 3 x 3.
    assert (stack.requests, fine.requests) == (2, 9)
    assert (stack.largest_m, fine.largest_m) == (2_210, 1_120)
    assert plan.requests == 33


@pytest.mark.parametrize(
    ("in_flight", "per_s", "answer_s", "expected"),
    [(40, 100.0, 0.4, 100), (40, 100.0, 0.2, 100), (40, 100.0, 8.0, 5)],
)
def test_the_smaller_quota_sets_the_pace(in_flight, per_s, answer_s, expected):
    plan = _plan(
        _make_places(100),
        requests_in_flight=in_flight,
        requests_per_s=per_s,
        answer_s=answer_s,
    )
    assert plan.per_s == pytest.approx(expected)
    assert plan.time_s == pytest.approx(200 / expected)


def test_answers_on_disk_cost_nothing():
    plan = _plan(_make_places(1_000), kept=990)
    assert plan.requests == 20
    assert plan.bytes == 10 * (1_052_672 + 5_734_400)
    assert plan.places == 1_000
    done = _plan(_make_places(5), kept=5)
    assert (done.requests, done.bytes, done.time_s) == (0, 0, 0)


def test_every_split_has_its_files():
    places = [*_make_places(130), *_make_places(3, split="test")]
    plan = _plan(places)
    assert plan.by_split == {"train": 130, "test": 3}
    assert plan.shards == {"train": 3, "test": 1}


def test_the_lines_say_what_the_plan_holds():
    text = format_plan(_plan(_make_places(1_000), kept=100), RECIPE)
    lines = text.splitlines()
    assert lines[0] == "places      1,000 (1,000 train)"
    assert lines[1].startswith("answers     100 places")
    assert lines[2] == "records     1,000 at most, in files: 16 train"
    assert lines[3] == "frames      16 before and 16 after, L2A, 10 bands"
    assert " ".join(lines[6].split()) == "s2 32 x 32 514 1028 1.1 MB 1 2,210 m"
    assert " ".join(lines[7].split()) == "fine 640 x 640 11 14 5.7 MB 1 940 m"
    assert "requests    1,800" in lines
    # 900 x 6,787,072 bytes are 5.69 GiB; at 0.02 USD 11 cents.
    assert "6.1 GB of answers to come" in text
    assert "0.11 USD a month" in text
    assert "90 s" not in text  # from a minute on, minutes
    assert "2 min at 20.0 requests/s: 40 at one time, 2 s for an answer" in text
    assert text.endswith("\n")


def test_a_layer_of_too_many_bands_has_no_largest_place():
    recipe = Recipe(frames_before=99, frames_after=0)
    plan = _plan(_make_places(1), recipe)
    assert plan.layers[0].requests == 2
    assert plan.layers[0].largest_m == 0
    assert format_plan(plan, recipe).splitlines()[6].endswith("   none")


@pytest.mark.parametrize(
    ("places", "answer_s", "shown"),
    [
        (1, 0.4, "0 s at"),
        (100, 8.0, "40 s at"),
        (1_000, 8.0, "7 min at"),
        (17_900, 8.0, "119 min at"),
        (18_000, 8.0, "2.0 h at"),
        (1_000_000, 8.0, "111.1 h at"),
    ],
)
def test_times_are_shown_in_a_unit_that_people_read(places, answer_s, shown):
    # 5 requests a second (100 where answers are fast), two for a place.
    plan = _plan(_make_places(1), answer_s=answer_s)
    many = type(plan)(**{**vars(plan), "places": places})
    assert f"time        {shown}" in format_plan(many, RECIPE)


@pytest.mark.parametrize(
    ("places", "shown"),
    [(0, "0 B"), (1, "6.8 MB"), (1_000, "6.8 GB"), (1_000_000, "6.8 TB")],
)
def test_bytes_are_shown_in_a_unit_that_people_read(places, shown):
    plan = _plan(_make_places(1))
    many = type(plan)(**{**vars(plan), "places": places})
    assert f"bytes       {shown} of answers" in format_plan(many, RECIPE)
