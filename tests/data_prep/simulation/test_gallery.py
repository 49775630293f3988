import cv2
import numpy as np
import pytest

from data_prep.simulation.gallery import draw_gallery
from data_prep.simulation.gallery import show_reflectance
from data_prep.simulation.scene import SceneSettings
from data_prep.simulation.scene import make_scene
from s2distill.errors import BandError
from s2distill.geo.grid import Grid

_GRID = Grid("EPSG:32631", (10.0, 0, 2e5, 0, -10.0, 1e6), 8, 8)


def _scene(bands):
    settings = SceneSettings(
        seed=1, bands=bands, height_px=8, width_px=8, frames=2
    )
    return make_scene(settings, _GRID, (3, 4), "grid_suburb")


def test_reflectance_on_the_screen_is_cut_at_black_and_at_the_brightest():
    shown = show_reflectance(np.array([-0.1, 0.0, 0.125, 0.25, 0.9]))
    np.testing.assert_allclose(shown, [0, 0, 0.5 ** (1 / 1.4), 1, 1])


@pytest.mark.parametrize(
    "bands", [("B4", "B2", "B3"), ("B2", "B3", "B4", "B8")]
)
def test_a_sheet_is_a_png_with_a_row_for_each_scene(tmp_path, bands):
    scene = _scene(bands)
    path = tmp_path / "sheet.png"
    draw_gallery([scene, scene], bands, path, dpi=40)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    sheet = cv2.imread(str(path))
    assert sheet.shape == (2 * 3 * 40, 6 * 3 * 40, 3)
    # The first picture is the 50 cm view: its mean colour comes through.
    view = sheet[140:220, 20:100, ::-1].reshape(-1, 3).mean(0)
    expected = scene.image[32:-32, 32:-32].reshape(-1, 3).mean(0)
    np.testing.assert_allclose(view, expected, atol=25)
    assert [p.name for p in tmp_path.iterdir()] == ["sheet.png"]


def test_frames_without_blue_are_refused(tmp_path):
    with pytest.raises(BandError, match="B2"):
        draw_gallery([_scene(("B3", "B4"))], ("B3", "B4"), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
