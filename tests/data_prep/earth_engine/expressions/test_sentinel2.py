import dataclasses

import numpy as np
import pytest

from data_prep.earth_engine.recipe import CLOUD_SCORE_PLUS
from data_prep.earth_engine.recipe import S2_COLLECTIONS
from data_prep.earth_engine.recipe import Recipe
from tests.earth_engine_server.small_earth.scenes import DATE_MS
from tests.earth_engine_server.small_earth.scenes import DAY_MS
from tests.earth_engine_server.small_earth.scenes import S2_GRID
from tests.earth_engine_server.small_earth.scenes import compute_layer
from tests.earth_engine_server.small_earth.scenes import place_picture
from tests.earth_engine_server.small_earth.scenes import stripe
from tests.earth_engine_server.small_earth.world import World
from tests.earth_engine_server.small_earth.world import make_picture

SHAPE = (S2_GRID.height, S2_GRID.width)
BANDS = ("B4", "B2", "B11")
RECIPE = Recipe(bands=BANDS, frames_before=3, frames_after=2, window_days=30)


class Sky:
    """Scenes over the place, each with its Cloud Score+, on one day."""

    def __init__(self, level="L2A"):
        self.level = level
        self.rng = np.random.default_rng(4)
        self.scenes = []
        self.scores = []

    def add(self, days, score, *, dn=None, inside=None, masks=None, **about):
        """One scene, `days` after the date; `score` a number or [H, W].

        `about`: datatake, baseline, orbit, crs, bounds; linked = it has a
        Cloud Score+.
        """
        number = len(self.scenes)
        baseline = about.get("baseline", "05.11")
        datatake = about.get("datatake", f"GS2A_{number:06d}")
        if dn is None:
            dn = self.rng.integers(1, 10_000, (len(BANDS), *SHAPE))
        scene = make_picture(
            dict(zip(BANDS, dn, strict=True)),
            inside=inside,
            masks=masks,
            system__index=f"scene_{number:03d}_{baseline}",
            system__time_start=DATE_MS + round(days * DAY_MS),
            DATATAKE_IDENTIFIER=f"{datatake}_N{baseline}",
            SENSING_ORBIT_NUMBER=about.get("orbit", 16),
            PROCESSING_BASELINE=baseline,
        )
        self.scenes.append(
            place_picture(scene, S2_GRID, about.get("crs"), about.get("bounds"))
        )
        if about.get("linked", True):
            self.scores.append(
                make_picture(
                    {"cs": np.broadcast_to(score, SHAPE)},
                    system__index=scene.properties["system:index"],
                )
            )
        return dn

    def world(self, seed=0):
        collection = S2_COLLECTIONS[self.level]
        assets = {collection: self.scenes, CLOUD_SCORE_PLUS: self.scores}
        return World(S2_GRID, assets, seed)

    def compute(self, recipe=RECIPE, seed=0):
        return compute_layer(recipe, "s2", self.world(seed))


def days_of(answer, frames=5):
    """Days from the date of each frame, None for a blank one."""
    found = [int(answer[f"f{n:02d}_day"][0, 0]) for n in range(frames)]
    return [day - DATE_MS // DAY_MS if day else None for day in found]


def test_the_clearest_of_both_sides_come_in_order_of_time():
    sky = Sky()
    for days, score in [
        (-25, 0.9), (-20, 0.5), (-15, 0.7), (-10, 0.6), (-5, 0.8),
        (3, 0.4), (6, 0.5), (9, 0.3), (12, 0.9),
    ]:  # fmt: skip
        sky.add(days, score)
    assert days_of(sky.compute()) == [-25, -15, -5, 6, 12]


def test_blank_frames_come_last_and_hold_nothing():
    sky = Sky()
    sky.add(-4, 0.9)
    sky.add(5, 0.9)
    answer = sky.compute()
    assert days_of(answer) == [-4, 5, None, None, None]
    for band in (*BANDS, "valid", "day", "second", "orbit", "score"):
        assert not answer[f"f02_{band}"].any()


def test_a_place_without_frames_is_all_blank():
    answer = Sky().compute()
    assert days_of(answer) == [None] * 5
    assert not any(answer[f"f00_{band}"].any() for band in BANDS)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(2, 0, [-5, -1]), (0, 3, [0, 4, None]), (1, 1, [-1, 4])],
)
def test_frames_of_one_side_only(before, after, expected):
    sky = Sky()
    for days, score in [(-5, 0.5), (-1, 0.7), (0, 0.6), (4, 0.9)]:
        sky.add(days, score)
    recipe = dataclasses.replace(
        RECIPE, frames_before=before, frames_after=after
    )
    assert days_of(sky.compute(recipe), before + after) == expected


def test_the_window_holds_its_first_day_and_the_date_is_after():
    sky = Sky()
    for days in (-30.001, -30, -0.001, 0, 29.999, 30):
        sky.add(days, 0.9)
    recipe = dataclasses.replace(RECIPE, frames_before=4, frames_after=4)
    expected = [-30, -1, 0, 29, None, None, None, None]
    assert days_of(sky.compute(recipe), 8) == expected


def test_a_frame_carries_what_it_is():
    sky = Sky()
    dn = sky.add(-3 + 0.5, 0.81236, orbit=143, baseline="02.04")
    answer = sky.compute()
    for band, values in zip(BANDS, dn, strict=True):
        np.testing.assert_array_equal(answer[f"f00_{band}"], values)
    for band, value in {
        "day": DATE_MS // DAY_MS - 3,
        "second": 43_200,
        "orbit": 143,
        "baseline": 204,
        "score": 8124,
        "valid": 1,
    }.items():
        np.testing.assert_array_equal(answer[f"f00_{band}"], value)


def test_a_pixel_is_valid_where_every_band_is_seen_and_it_is_clear():
    sky = Sky()
    score = sky.rng.random(SHAPE)
    score[0] = 0.5  # as clear as asked for
    dn = sky.rng.integers(0, 3, (len(BANDS), *SHAPE))
    seen = {band: sky.rng.random(SHAPE) > 0.2 for band in BANDS}
    inside = stripe(S2_GRID, 6)
    sky.add(1, score, dn=dn, masks=seen, inside=inside)
    answer = sky.compute()
    expected = np.all(list(seen.values()), 0) & inside
    expected &= (dn > 0).any(0) & (score >= 0.5)
    assert 0 < expected.sum() < expected.size
    np.testing.assert_array_equal(answer["f00_valid"], expected)
    for band, values in zip(BANDS, dn, strict=True):
        wanted = np.where(seen[band] & inside, values, 0)
        np.testing.assert_array_equal(answer[f"f00_{band}"], wanted)
    # What belongs to the frame as a whole is in every pixel.
    np.testing.assert_array_equal(answer["f00_day"], DATE_MS // DAY_MS + 1)


def test_a_granule_that_shows_a_part_scores_by_that_part():
    sky = Sky()
    sky.add(1, 1.0, inside=stripe(S2_GRID, 2))
    sky.add(2, 0.4)
    answer = sky.compute()
    assert days_of(answer)[:2] == [1, 2]
    assert answer["f00_score"][0, 0] == round(10_000 * 2 / 7)
    assert answer["f01_score"][0, 0] == 4000


def test_frames_below_the_least_score_are_left_out():
    sky = Sky()
    sky.add(1, 0.19)
    sky.add(2, 0.2)
    sky.add(3, 0.9, linked=False)
    assert days_of(sky.compute()) == [2, None, None, None, None]


def test_granules_elsewhere_are_not_looked_at():
    sky = Sky()
    sky.add(1, 0.9, bounds=(400_000, 3_600_000, 410_000, 3_610_000))
    assert days_of(sky.compute()) == [None] * 5


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({"score": 0.5}, {"score": 0.8}, 1),
        ({"score": 0.8, "baseline": "02.04"}, {"score": 0.8}, 1),
        ({"score": 0.8}, {"score": 0.8, "baseline": "02.04"}, 0),
        ({"score": 0.805, "crs": "EPSG:32617"}, {"score": 0.802}, 1),
        ({"score": 0.9, "crs": "EPSG:32617"}, {"score": 0.8}, 0),
        (
            {"score": 0.8, "baseline": "02.04"},
            {"score": 0.8, "crs": "EPSG:32617"},
            0,
        ),
    ],
    ids=["clearer", "newer", "newer-first", "own-zone", "clear", "zone-first"],
)
@pytest.mark.parametrize("seed", range(2))
def test_one_version_of_a_pass_is_kept(first, second, kept, seed):
    sky = Sky()
    dn = [
        sky.add(1, options.pop("score"), datatake="GS2A_1", **options)
        for options in (dict(first), dict(second))
    ]
    answer = sky.compute(seed=seed)
    assert days_of(answer) == [1, None, None, None, None]
    np.testing.assert_array_equal(answer["f00_B4"], dn[kept][0])


@pytest.mark.parametrize("seed", range(4))
def test_of_frames_as_clear_the_nearer_is_taken(seed):
    sky = Sky()
    for days in (-9, -7, -5, -3, 2, 4, 6):
        sky.add(days, 0.75)
    assert days_of(sky.compute(seed=seed)) == [-7, -5, -3, 2, 4]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("datatakes", [("A", "A"), ("A", "B")])
def test_of_equals_the_one_of_the_later_name_is_taken(datatakes, seed):
    sky = Sky()
    dn = [sky.add(-3, 0.75, datatake=datatake) for datatake in datatakes]
    recipe = dataclasses.replace(RECIPE, frames_before=1)
    answer = sky.compute(recipe, seed)
    np.testing.assert_array_equal(answer["f00_B4"], dn[1][0])


def choose_by_hand(sky, recipe):
    """Times in ms of the chosen frames: a twin without graphs."""
    passes = {}
    scores = {p.properties["system:index"]: p for p in sky.scores}
    for scene in sky.scenes:
        properties = scene.properties
        found = scores.get(properties["system:index"])
        score = found.values["cs"] * scene.inside if found else np.zeros(SHAPE)
        score = int(np.floor(score.mean() * 10_000 + 0.5))
        baseline = properties["PROCESSING_BASELINE"]
        key = properties["DATATAKE_IDENTIFIER"].split("_N")[0]
        order = (int(score / 200 + 0.5), scene.crs == S2_GRID.crs, baseline)
        rest = properties["system:index"], score, scene
        passes.setdefault(key, []).append((*order, *rest))
    best = [max(versions, key=lambda v: v[:4]) for versions in passes.values()]
    chosen = []
    for number, is_after in (
        (recipe.frames_before, False),
        (recipe.frames_after, True),
    ):
        half = [
            (score, -abs(time - DATE_MS), index, time)
            for *_, index, score, scene in best
            for time in [scene.properties["system:time_start"]]
            if (time >= DATE_MS) == is_after
            and abs(time - DATE_MS) < recipe.window_days * DAY_MS
            and score >= round(recipe.min_frame_score * 10_000)
        ]
        chosen += sorted(half, reverse=True)[:number]
    return sorted(time for *_, time in chosen)


@pytest.mark.parametrize("seed", range(3))
def test_the_choice_is_that_of_a_twin_whatever_order_the_server_has(seed):
    sky = Sky()
    rng = np.random.default_rng(seed)
    for number in range(25):
        days = rng.uniform(-40, 40)
        for _ in range(rng.integers(1, 4)):
            sky.add(
                days,
                rng.choice([0.1, 0.3, 0.5, 0.52, 0.9]) + rng.random(SHAPE) / 50,
                datatake=f"GS2B_{number}",
                baseline=rng.choice(["02.04", "04.00", "05.11"]),
                crs=rng.choice(["EPSG:32616", "EPSG:32617"]),
                inside=stripe(S2_GRID, rng.integers(3, 8)),
                linked=bool(rng.random() > 0.1),
            )
    answers = [sky.compute(seed=order) for order in range(3)]
    times_ms = [
        1000 * (86_400 * int(answers[0][f"f{n:02d}_day"][0, 0])
        + int(answers[0][f"f{n:02d}_second"][0, 0]))
        for n in range(5)
    ]  # fmt: skip
    wanted = [t // 1000 * 1000 for t in choose_by_hand(sky, RECIPE)]
    assert len(wanted) == 5
    assert times_ms == wanted
    for other in answers[1:]:
        for band, array in answers[0].items():
            np.testing.assert_array_equal(array, other[band])


def test_the_level_chooses_the_collection():
    sky = Sky("L1C")
    sky.add(1, 0.9)
    recipe = dataclasses.replace(RECIPE, product_level="L1C")
    assert days_of(sky.compute(recipe))[0] == 1


def test_the_clear_band_and_threshold_are_the_recipes():
    sky = Sky()
    sky.add(1, 0.9)
    sky.scores = [
        make_picture({"cs_cdf": np.full(SHAPE, 0.63)}, **{
            "system:index": sky.scores[0].properties["system:index"]
        })
    ]  # fmt: skip
    for threshold, valid in ((0.62, 1), (0.64, 0)):
        answer = sky.compute(
            dataclasses.replace(
                RECIPE, clear_band="cs_cdf", clear_threshold=threshold
            )
        )
        assert answer["f00_score"][0, 0] == 6300
        np.testing.assert_array_equal(answer["f00_valid"], valid)
