import keras
import pytest
import tensorflow as tf
from keras import layers
from keras import ops

from benchmarks.accuracy.cost import count_multiply_adds
from s2distill.models.network import FRAME_NETWORKS
from s2distill.models.network import build_network

FRAMES, HEIGHT, WIDTH, BANDS = 3, 6, 10, 4


def _of_one_layer(layer):
    image = keras.Input((None, None, 3), name="image")
    return keras.Model({"image": image}, layer(image))


def _custom(function):
    return layers.Lambda(function, output_shape=(None, None, 1))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Conv2D(5, (3, 2), padding="same"), 60 * 6 * 3 * 5),
        (layers.Conv2D(6, 2, strides=2), 15 * 4 * 3 * 6),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), 4 * 8 * 9 * 3 * 2),
        (layers.Conv2DTranspose(5, 2, strides=2), 60 * 4 * 3 * 5),
        (layers.Dense(7), 60 * 3 * 7),
        (_custom(lambda x: ops.matmul(x[..., :2], x[:, :, :2])), 60 * 2 * 3),
        (
            _custom(lambda x: ops.einsum("bhwc,bhwd->bhcd", x, x[..., :2])),
            60 * 3 * 2,
        ),
        (_custom(lambda x: ops.einsum("bhwc->bwhc", x)), 0),
        (layers.ReLU(), 0),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_layers_cost_what_is_written_down(layer, expected):
    network = _of_one_layer(layer)
    assert count_multiply_adds(network, 1, HEIGHT, WIDTH) == expected


def _float_operations(network):
    """TensorFlow's own count, by kind of operation."""
    grid = (1, FRAMES, HEIGHT, WIDTH)
    specs = {
        "s2": tf.TensorSpec((*grid, BANDS)),
        "frame_valid": tf.TensorSpec(grid),
    }
    traced = tf.function(lambda inputs: network(inputs))
    profiler = tf.compat.v1.profiler
    report = profiler.profile(
        traced.get_concrete_function(specs).graph,
        cmd="op",
        options=profiler.ProfileOptionBuilder(
            profiler.ProfileOptionBuilder.float_operation()
        )
        .with_empty_output()
        .build(),
    )
    found = {}
    while report.children:
        (report,) = report.children
        found[report.name] = report.float_ops
    return found


@pytest.mark.parametrize("name", FRAME_NETWORKS)
def test_networks_cost_what_tensorflow_says(name):
    network = build_network(name, preset="small", bands=BANDS, label_factor=20)
    counted = count_multiply_adds(network, FRAMES, HEIGHT, WIDTH)
    found = _float_operations(network)
    products = sum(
        found[kind] for kind in ("Conv2D", "MatMul") if kind in found
    )
    # TensorFlow tells nothing of Einsum, with which frames are added up.
    assert products / 2 <= counted <= 1.01 * products / 2
    # What is not counted is elementwise: little beside the products.
    assert 2 * counted == pytest.approx(sum(found.values()), rel=0.05)


def test_cost_grows_by_as_much_for_every_frame():
    network = build_network(
        "u_tae", preset="small", bands=BANDS, label_factor=20
    )
    one, two, nine = (
        count_multiply_adds(network, frames, HEIGHT, WIDTH)
        for frames in (1, 2, 9)
    )
    assert one < two
    assert nine - one == 8 * (two - one)


def test_a_graph_within_the_graph_is_refused():
    # Keras compiles grouped convolutions apart.
    network = _of_one_layer(layers.Conv2D(6, 2, groups=3))
    with pytest.raises(ValueError, match="cannot count .*Call"):
        count_multiply_adds(network, 1, HEIGHT, WIDTH)
