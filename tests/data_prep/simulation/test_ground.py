import numpy as np
import pytest

from data_prep.simulation.ground import paint_ground
from data_prep.simulation.layout import Street
from data_prep.simulation.palette import Palette
from data_prep.simulation.site import Patch
from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.spectra import material_index
from data_prep.simulation.town import Town


class RecordingPalette(Palette):
    """A palette that can be asked which material a row is of."""

    def __init__(self, rng):
        super().__init__(rng)
        self.names = list(MATERIALS)

    def add(self, material, brightness):
        self.names.append(material)
        return super().add(material, brightness)


def _paint(seed=0, streets=(), patches=()):
    """The material of each pixel, [121, 181] of str."""
    town = Town(
        height_m=60.5,
        width_m=90.5,
        styles=("village", "village"),
        streets=streets,
        buildings=(),
        patches=patches,
        forests_m=(),
        trees_m=np.zeros((0, 3)),
        tree_material="conifer",
        ground="lawn",
        soil="red_soil",
    )
    rng = np.random.default_rng(seed)
    palette = RecordingPalette(rng)
    surface = np.full((121, 181), 60_000, np.uint16)
    paint_ground(surface, town, rng, palette)
    return np.array(palette.names)[surface]


def _street(width_m, paved):
    return Street(np.array([[-9.0, 30], [45, 30], [99, 30]]), width_m, paved)


def test_open_ground_is_mostly_its_main_cover_with_spots_of_two_others():
    shares = []
    for seed in range(20):
        found = _paint(seed)
        assert set(found.ravel()) <= {"lawn", "dry_grass", "red_soil"}
        shares.append((found == "lawn").mean())
    assert 0.6 < np.mean(shares) < 0.95


def test_later_grounds_lie_over_earlier_ones_and_streets_over_both():
    ring = np.array([[10.0, 10], [80, 10], [80, 50], [10, 50]])
    small = ring * 0.5 + (20, 10)
    found = _paint(
        streets=(_street(6, False),),
        patches=(Patch(ring, "crop"), Patch(small, "water")),
    )
    assert (found[22:28, 22:158] == "crop").all()
    assert (found[32:52, 52:118] == "water").all()
    assert (found[56:64] == "red_soil").all()  # a dirt road


@pytest.mark.parametrize("seed", range(4))
def test_a_paved_street_has_tar_and_where_there_are_walks_two(seed):
    column = _paint(seed, streets=(_street(8, True),))[:, ::9]
    tar = ("worn_asphalt", "dark_asphalt", "concrete")
    cars = ("dark_car", "white_car", "silver_car", "red_car")
    assert np.isin(column[53:67], tar + cars).all()
    walks = column[[50, 51, 69, 70]] == "concrete"
    assert walks.all() or not walks.any()


def test_only_wide_streets_have_a_line_in_the_middle():
    narrow, wide = (
        _paint(streets=(_street(width, True),))[60] for width in (9, 12)
    )
    assert "line_paint" not in narrow
    # Every second piece of the street, of which there are two.
    assert (wide[:88] == "line_paint").mean() > 0.9
    assert not (wide[94:] == "line_paint").any()
    assert material_index("line_paint") < len(MATERIALS)
