import numpy as np
import pytest
import shapely

from data_prep.earth_engine.places.lon_lat import clip_around
from data_prep.earth_engine.places.lon_lat import to_canonical
from s2distill.errors import VectorError

# A kite over the antimeridian, 1.2 degrees wide: the same ground in every way
# that files write it.
_KITE = np.array([(179.5, -17), (180.1, -17.4), (180.7, -17), (180.1, -16.6)])


def _kite(turns):
    return shapely.Polygon(_KITE + np.array([(t, 0) for t in turns]))


def _turned(geometry, degrees):
    return shapely.transform(
        geometry, lambda points: points + np.array([degrees, 0])
    )


def _cut_kite():
    whole = _kite([0, 0, 0, 0])
    west = shapely.intersection(whole, shapely.box(179, -18, 180, -16))
    east = shapely.intersection(whole, shapely.box(180, -18, 181, -16))
    return shapely.MultiPolygon([west, _turned(east, -360)])


def _differ_by(one, other):
    return shapely.area(shapely.symmetric_difference(one, other))


_WAYS = {
    "past 180": _kite([0, 0, 0, 0]),
    "past -180": _kite([-360] * 4),
    "jumps": _kite([0, -360, -360, -360]),
    "jumps and comes back": _kite([0, 0, -360, 0]),
    "another turn": _kite([360, 0, 360, 360]),
    "cut as RFC 7946 says": _cut_kite(),
    "cut, each half written past its side": shapely.MultiPolygon(
        [
            _turned(part, turn)
            for part, turn in zip(_cut_kite().geoms, (-360, 360), strict=True)
        ]
    ),
    "in a collection": shapely.GeometryCollection(
        [shapely.Point(3, 4), shapely.GeometryCollection([_cut_kite()])]
    ),
}


@pytest.mark.parametrize("way", list(_WAYS))
def test_a_polygon_over_the_antimeridian_is_the_small_one(way):
    found = to_canonical(_WAYS[way])
    assert found.is_valid
    # The area of a kite: half the product of its diagonals.
    assert found.area == pytest.approx(1.2 * 0.8 / 2, abs=1e-12)
    assert found.bounds == pytest.approx((-180, -17.4, 180, -16.6))
    assert _differ_by(found, _cut_kite()) < 1e-12
    inside = shapely.contains_xy(
        found, [179.9, -179.9, 0.0, 179.4], [-17, -17, -17, -17]
    )
    assert inside.tolist() == [True, True, False, False]


@pytest.mark.parametrize("turn", [0, 360, -360])
@pytest.mark.parametrize("jump", [False, True])
def test_a_hole_stays_in_its_shell(turn, jump):
    shell = _KITE.copy()
    hole = np.array([(180.2, -17), (180.3, -17.1), (180.4, -17)])
    hole[:, 0] += turn
    if jump:
        shell[1:, 0] -= 360
    found = to_canonical(shapely.Polygon(shell, [hole]))
    assert found.area == pytest.approx(0.48 - 0.2 * 0.1 / 2)
    assert not shapely.contains_xy(found, -179.7, -17.02)


def test_what_is_away_from_the_antimeridian_stays_as_it_is():
    box = shapely.box(-84.5, 33.1, -83.2, 34.9)
    assert shapely.equals(to_canonical(box), box)
    half = shapely.box(0, -10, 180, 10)  # an edge of just 180 degrees
    assert to_canonical(half).area == pytest.approx(3600)


def test_a_bow_tie_is_mended_and_a_line_left_out():
    bow = shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
    line = shapely.LineString([(0, 0), (9, 9)])
    found = to_canonical(shapely.GeometryCollection([bow, line]))
    assert found.area == pytest.approx(8)
    assert to_canonical(line).is_empty


def test_overlapping_polygons_count_once():
    two = shapely.MultiPolygon(
        [shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)]
    )
    assert to_canonical(two).area == pytest.approx(3)


def test_a_box_past_180_degrees_gathers_both_sides():
    found = clip_around(to_canonical(_cut_kite()), (177, -20, 183, 0))
    assert len(found.geoms) == 1
    assert _differ_by(found, _kite([0, 0, 0, 0])) < 1e-12
    east = clip_around(to_canonical(_cut_kite()), (-183, -20, -177, 0))
    assert east.bounds == pytest.approx((-180.5, -17.4, -179.3, -16.6))
    assert clip_around(to_canonical(_cut_kite()), (0, -20, 6, 0)).is_empty


def test_an_edge_that_only_touches_the_box_leaves_nothing():
    box = to_canonical(shapely.box(0, 0, 3, 1))
    assert clip_around(box, (3, 0, 9, 1)).is_empty


def _broken_by(value):
    """As a projection does that knows no such place."""
    box = shapely.box(0, 0, 1, 1)
    return shapely.transform(box, lambda points: points * 0 + value)


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        (shapely.box(737200, 3736400, 738000, 3737000), "737200|738000.*degr"),
        (shapely.box(33, 84, 34, 91), "91 is no longitude and latitude"),
        (_broken_by(np.inf), "inf.*degrees"),
        (
            shapely.Polygon([(-120, 70), (0, 70), (120, 70)]),
            "runs round a pole.*180 degrees of longitude",
        ),
    ],
)
def test_what_is_no_ground_is_refused(geometry, words):
    with pytest.raises(VectorError, match=words):
        to_canonical(geometry)
