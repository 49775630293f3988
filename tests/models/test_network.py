import pytest

from s2distill.errors import ConfigError
from s2distill.models.heads import OUTPUTS
from s2distill.models.network import build_network


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("teacher", {"image"}),
        ("student", {"s2", "frame_valid"}),
        ("bicubic_unet", {"s2", "frame_valid"}),
    ],
)
def test_every_network_has_its_inputs_and_the_five_answers(name, inputs):
    model = build_network(name, preset="small", bands=10, label_factor=20)
    assert set(model.input) == inputs
    assert set(model.output) == set(OUTPUTS)


def test_unknown_names_are_refused_with_what_there_is():
    with pytest.raises(ConfigError, match="no network 'unet'.*teacher"):
        build_network("unet", preset="small", bands=3, label_factor=20)
    with pytest.raises(ConfigError, match="no preset 'huge'.*small"):
        build_network("student", preset="huge", bands=3, label_factor=20)
