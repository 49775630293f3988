import keras
import numpy as np
import pytest

from s2distill.models import hrnet


def _three_branches(height, width):
    image = keras.Input((height, width, 4))
    branches = [image]
    branches = hrnet.add_branch(branches, 6, "a")
    branches = hrnet.add_branch(branches, 8, "b")
    return image, branches


def test_each_branch_is_half_as_fine_as_the_one_before():
    _, branches = _three_branches(16, 24)
    assert [tuple(b.shape[1:]) for b in branches] == [
        (16, 24, 4),
        (8, 12, 6),
        (4, 6, 8),
    ]


@pytest.mark.parametrize(
    ("height", "width"), [(16, 24), (13, 17)], ids=["even", "odd"]
)
def test_a_stage_keeps_every_shape(height, width):
    image, branches = _three_branches(None, None)
    staged = hrnet.stage(branches, 1, "s")
    model = keras.Model(image, [*branches, *staged])
    x = np.random.default_rng(0).normal(size=(2, height, width, 4))
    outs = [o.shape for o in model(x.astype("float32"))]
    assert outs[:3] == outs[3:]


def test_exchange_carries_every_branch_to_every_branch():
    image, branches = _three_branches(16, 16)
    model = keras.Model(image, hrnet.exchange(branches, "x"))
    names = {layer.name for layer in model.layers}
    for source, target in [(0, 1), (0, 2), (1, 2)]:
        assert f"x_{source}to{target}_down0" in names
        assert f"x_{target}to{source}_up" in names


def test_a_single_branch_has_nothing_to_exchange():
    image = keras.Input((8, 8, 4))
    assert hrnet.exchange([image], "x")[0] is image
