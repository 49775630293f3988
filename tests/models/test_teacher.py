import numpy as np
import pytest
from keras import ops

from s2distill.models.heads import OUTPUTS
from s2distill.models.teacher import TEACHER_PRESETS
from s2distill.models.teacher import TeacherConfig
from s2distill.models.teacher import build_teacher


@pytest.mark.parametrize(
    ("height", "width"), [(32, 48), (33, 50)], ids=["even", "odd"]
)
def test_answers_stand_on_the_grid_of_the_image(height, width):
    teacher = build_teacher(TeacherConfig(channels=(8, 8, 8)))
    image = np.random.default_rng(0).normal(size=(2, height, width, 3))
    answers = teacher({"image": image.astype("float32")})
    assert set(answers) == set(OUTPUTS)
    for answer in answers.values():
        assert tuple(answer.shape) == (2, height, width, 1)


def test_a_pixel_is_answered_where_it_stands():
    teacher = build_teacher(TEACHER_PRESETS["small"])
    rng = np.random.default_rng(3)
    for weight in teacher.weights:
        weight.assign(rng.normal(0, 0.1, weight.shape))
    image = rng.normal(size=(1, 64, 64, 3)).astype("float32")
    moved = image.copy()
    moved[0, 10, 50] += 1
    before = ops.convert_to_numpy(teacher({"image": image})["height_m"])
    after = ops.convert_to_numpy(teacher({"image": moved})["height_m"])
    change = np.abs(after - before)[0, ..., 0]
    row, col = np.unravel_index(change.argmax(), change.shape)
    # Within one pixel of the coarsest level: 4 x 2 x 2 image pixels.
    assert abs(row - 10) <= 16
    assert abs(col - 50) <= 16


def test_the_view_moves_answers_and_an_unknown_one_is_zeros():
    config = TeacherConfig(stem_factor=2, channels=(6, 8), view=True)
    teacher = build_teacher(config)
    rng = np.random.default_rng(1)
    for weight in teacher.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    image = rng.normal(size=(2, 13, 18, 3)).astype("float32")
    # The same picture twice, seen from two sides.
    image[1] = image[0]
    view = np.array([[0.3, -0.1, 1], [0, 0, 0]], "float32")
    found = ops.convert_to_numpy(
        teacher({"image": image, "view": view})["building_logits"]
    )
    assert found.shape == (2, 13, 18, 1)
    assert np.abs(found[0] - found[1]).min() > 0
    # Each example has its own.
    turned = ops.convert_to_numpy(
        teacher({"image": image, "view": view[::-1]})["building_logits"]
    )
    np.testing.assert_allclose(turned, found[::-1], rtol=1e-4, atol=1e-5)
