import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from s2distill.models.super_resolution_unet import SuperResolutionUnetConfig
from s2distill.models.super_resolution_unet import build_super_resolution_unet

BANDS, FACTOR = 3, 4
TINY = SuperResolutionUnetConfig(
    enlargement=2,
    image_channels=6,
    image_blocks=1,
    fine_channels=4,
    channels=(8, 8),
)


@pytest.fixture(scope="module")
def network():
    model = build_super_resolution_unet(BANDS, FACTOR, TINY)
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    return model


@pytest.fixture(scope="module")
def stack():
    rng = np.random.default_rng(0)
    s2 = rng.normal(size=(2, 3, 5, 6, BANDS)).astype("float32")
    return {"s2": s2, "frame_valid": np.ones(s2.shape[:4], "float32")}


def _taught(network, stack, name):
    """Layers that a loss of one answer reaches."""
    weights = network.trainable_weights
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(network(stack)[name]))
    gradients = tape.gradient(loss, [w.value for w in weights])
    return {
        w.path.split("/")[0]
        for w, g in zip(weights, gradients, strict=True)
        if g is not None and np.any(g)
    }


def test_the_image_is_taught_by_images_alone(network, stack):
    image = _taught(network, stack, "image_grey")
    mask = _taught(network, stack, "building_logits")
    assert image == {
        layer.name
        for layer in network.layers
        if layer.name.startswith("image_") and layer.weights
    }
    assert mask
    assert not mask & image


def test_the_segmentation_looks_at_the_image(network, stack):
    before = ops.convert_to_numpy(network(stack)["building_logits"])
    detail = network.get_layer("image_detail")
    kernel, bias = detail.get_weights()
    detail.set_weights([0 * kernel, bias])
    after = ops.convert_to_numpy(network(stack)["building_logits"])
    detail.set_weights([kernel, bias])
    assert np.abs(after - before).max() > 1e-3


def test_without_detail_the_image_is_the_interpolated_one(network, stack):
    detail = network.get_layer("image_detail")
    kernel, bias = detail.get_weights()
    detail.set_weights([0 * kernel, 0 * bias])
    grey = ops.convert_to_numpy(network(stack)["image_grey"])
    detail.set_weights([kernel, bias])
    # 2 x 2 label pixels in each of the finer grid, all alike.
    np.testing.assert_array_equal(
        grey, grey[:, ::2, ::2].repeat(2, 1).repeat(2, 2)
    )
    composite = stack["s2"].mean(1)
    smooth, offset = network.get_layer("image_smooth").get_weights()
    logits = composite @ smooth[0, 0, :BANDS] + smooth[0, 0, BANDS] + offset
    want = tf.image.resize(logits, (10, 12), "bicubic")
    inner = (slice(None), slice(4, -4), slice(4, -4))
    got = np.log(grey / (1 - grey))[:, ::2, ::2]
    np.testing.assert_allclose(got[inner], want.numpy()[inner], atol=1e-4)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_image_stands_on_any_label_grid(factor, stack):
    answers = build_super_resolution_unet(BANDS, factor, TINY)(stack)
    assert tuple(answers["image_grey"].shape) == (2, 5 * factor, 6 * factor, 1)
