import numpy as np
import pytest
import shapely

from data_prep.simulation.frames import Frame
from data_prep.simulation.occupancy import Occupancy
from data_prep.simulation.site import Site
from data_prep.simulation.styles import STYLES


def _site(seed=0):
    rng = np.random.default_rng(seed)
    return Site(rng, Occupancy(120.0, 160.0), "red_soil")


@pytest.mark.parametrize("seed", range(4))
def test_buildings_that_stand_keep_their_gap_from_all_others(seed):
    site = _site(seed)
    tried = stood = 0
    for _ in range(300):
        x, y, angle = site.rng.uniform((0, 0, 0), (160, 120, 6))
        stood += site.build(
            Frame(x, y, angle),
            tuple(site.rng.uniform(6, 18, 2)),
            shape=str(site.rng.choice(["box", "l", "t"])),
            height_m=5.0,
            roof_material="slate",
            gap_m=2.0,
        )
        tried += 1
    assert len(site.buildings) == stood < tried
    assert stood > 15
    # Beyond the extent nothing is seen, so nothing is kept apart.
    extent = shapely.box(0, 0, 160, 120)
    shapes = np.array([b.footprint for b in site.buildings])
    shapes = shapes[shapely.within(shapes, extent)]
    apart = shapely.distance(shapes[:, None], shapes[None])
    np.fill_diagonal(apart, np.inf)
    # 2 m, known on a grid of a metre.
    assert apart.min() > 1.5


def test_a_site_that_is_taken_stays_as_it_was():
    site = _site()
    plot = Frame(60.0, 50.0, 0.3), (20.0, 14.0)
    looks = {"height_m": 1.0, "roof_material": "thatch"}
    assert site.build(*plot, **looks)
    assert site.buildings[0].height_m == 2.2  # nobody lives lower
    assert not site.build(*plot, **looks)
    assert not site.build(Frame(62.0, 52.0, 0.9), (8.0, 8.0), **looks)
    assert len(site.buildings) == 1


def test_paving_takes_no_ground_and_later_paving_lies_above():
    site = _site()
    front = Frame(60.0, 50.0, 0.0)
    site.cover(np.array([[0.0, 0], [160, 0], [160, 120], [0, 120]]), "lawn")
    site.pave(front, (-4.0, 6.0), (0.0, 8.0), "concrete", cars=0.5)
    assert [p.material for p in site.patches] == ["lawn", "concrete"]
    assert [p.cars for p in site.patches] == [0, 0.5]
    assert site.patches[1].ring_m.min(0).tolist() == [56.0, 50.0]
    assert site.patches[1].ring_m.max(0).tolist() == [66.0, 58.0]
    assert site.build(front, (9.0, 8.0), height_m=4, roof_material="slate")


def test_roofs_are_slanted_as_often_as_the_style_says():
    site = _site()
    style = STYLES["dry_town"]  # half of them
    roofs = [site.draw_roof(style) for _ in range(3000)]
    assert roofs.count("flat") / 3000 == pytest.approx(0.5, abs=0.04)
    assert roofs.count("gable") / 3000 == pytest.approx(0.3, abs=0.04)
    assert roofs.count("hip") / 3000 == pytest.approx(0.2, abs=0.04)
