import matplotlib as mpl
import matplotlib.image
import pytest
from matplotlib.figure import Figure

from s2distill.errors import OutputError
from s2distill.evaluation.drawing import house_style
from s2distill.evaluation.drawing import model_colours
from s2distill.evaluation.drawing import model_title
from s2distill.evaluation.drawing import save_figure


def test_style_ends_with_its_block():
    before = dict(mpl.rcParams)
    with house_style():
        assert mpl.rcParams["axes.spines.top"] is False
    assert dict(mpl.rcParams) == before


def test_models_of_one_picture_have_different_colours():
    colours = model_colours(["a", "b", "c", "d", "e"])
    assert len(set(colours.values())) == 5
    assert len(model_colours("abcdefgh")) == 8


def test_title_of_a_model_has_no_underscore():
    assert model_title("hard_label_student") == "hard label student"


def test_figure_is_read_back_in_its_size(tmp_path):
    save_figure(Figure(figsize=(3, 2)), tmp_path / "deep" / "a.png")
    picture = matplotlib.image.imread(tmp_path / "deep" / "a.png")
    assert picture.shape[:2] == (260, 390)


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write .*a.png"):
        save_figure(Figure(figsize=(1, 1)), tmp_path / "file" / "a.png")
