import pytest

from s2distill.errors import ConfigError
from s2distill.errors import ModelError
from s2distill.evaluate import Config
from s2distill.evaluate import parse_models
from s2distill.evaluate import run


def test_models_keep_their_order_and_paths_with_equal_signs():
    found = parse_models(["b=runs/b", "a=runs/seed=3"])
    assert list(found.items()) == [("b", "runs/b"), ("a", "runs/seed=3")]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["runs/a"], "--models=runs/a: each is NAME=WORKDIR"),
        (["=runs/a"], "--models==runs/a"),
        (["a=x", "a=y"], "--models=a=y.*each name once"),
        ([], "--models is empty"),
    ],
)
def test_malformed_models_are_refused(texts, message):
    with pytest.raises(ConfigError, match=message):
        parse_models(texts)


def test_a_workdir_without_a_model_is_refused(tmp_path):
    config = Config(
        records=(str(tmp_path),),
        models=(f"a={tmp_path}",),
        output=str(tmp_path / "out"),
    )
    with pytest.raises(ModelError, match="is no finished training"):
        run(config)
    assert not (tmp_path / "out").exists()


def test_a_trained_model_is_scored_from_disk(example_records, tmp_path, capsys):
    import keras

    from s2distill.data.normalize import BandStatistics
    from s2distill.data.schema import RecordSpec
    from s2distill.models.network import build_network
    from s2distill.training_run import Run
    from s2distill.training_run import write_run

    spec = RecordSpec(
        bands=("B2", "B3", "B4"),
        tile_px=8,
        label_factor=4,
        fields=("building", "road"),
    )
    keywords = {k: v for k, v in vars(spec).items() if k != "bands"}
    example_records(
        tmp_path / "world", {"test": 2}, bands=spec.bands, **keywords
    )
    keras.utils.set_random_seed(0)
    write_run(
        tmp_path / "run",
        Run(
            kind="bicubic_unet",
            network=build_network(
                "bicubic_unet", preset="small", bands=3, label_factor=4
            ),
            spec=spec,
            statistics=BandStatistics(
                bands=spec.bands, centre=(0.3,) * 3, scale=(0.2,) * 3
            ),
            frames=2,
            training={},
        ),
    )
    report = run(
        Config(
            records=(str(tmp_path / "world"),),
            models=(f"unet={tmp_path / 'run'}",),
            output=str(tmp_path / "out"),
            count_cell_m=20,
            examples=1,
        )
    )
    assert 0 < report["unet"]["building_miou"] < 1
    assert report["unet"]["height_mae_m"] is None
    shown = capsys.readouterr().out
    assert (tmp_path / "out" / "table.txt").read_text() in shown
    for line in shown.splitlines():
        if line.endswith(".png"):
            with open(line, "rb") as file:
                assert file.read(4) == b"\x89PNG"
    assert shown.count(".png") == 5
