"""`check_layer`: what every layer of ours must hold; frames to try it on."""

import keras
import numpy as np
import pytest
from keras import ops


def _sublayers(layer):
    return layer._flatten_layers(include_self=True, recursive=True)


@pytest.fixture
def masked_frames():
    """[2, 3, 4, 5, 6] frames and their mask; one place no frame sees."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 3, 4, 5, 6)).astype("float32")
    valid = (rng.random(x.shape[:-1]) < 0.6).astype("float32")
    valid[0, :, 0, 0] = 0
    return x, valid


@pytest.fixture
def check_layer(tmp_path):
    def check(layer_class, config, *inputs, rtol=1e-5, half_dtype="bfloat16"):
        layer = layer_class(**config)
        layer(*inputs)
        rng = np.random.default_rng(7)
        # Zero kernels would hide a wrong path.
        for weight in layer.weights:
            weight.assign(rng.normal(0, 0.2, weight.shape))
        eager = ops.convert_to_numpy(layer(*inputs))

        # Config round trip.
        again = layer_class.from_config(layer.get_config())
        again(*inputs)
        again.set_weights(layer.get_weights())
        np.testing.assert_array_equal(
            ops.convert_to_numpy(again(*inputs)), eager
        )
        # The stated shape is the true one.
        shape = layer.compute_output_shape(*[i.shape for i in inputs])
        assert tuple(
            got if want is None else want
            for want, got in zip(shape, eager.shape, strict=True)
        ) == tuple(eager.shape)
        # Saved inside a model, loaded, the same numbers, any batch.
        ins = [keras.Input(shape=i.shape[1:]) for i in inputs]
        model = keras.Model(ins, layer(*ins))
        model.save(tmp_path / "layer.keras")
        loaded = keras.models.load_model(tmp_path / "layer.keras")
        out = loaded([np.asarray(i) for i in inputs])
        np.testing.assert_allclose(
            ops.convert_to_numpy(out), eager, rtol=rtol, atol=1e-5
        )
        # Every sublayer follows the policy.
        half = layer_class(**config, dtype="mixed_bfloat16")
        half(*inputs)
        for sub in _sublayers(half):
            assert sub.compute_dtype == half_dtype, sub.name
        return eager, layer

    return check
