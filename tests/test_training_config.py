import dataclasses

import pytest

from s2distill.errors import ConfigError
from s2distill.flag_config import parse_config
from s2distill.training_config import Config
from s2distill.training_config import check_config
from s2distill.training_config import check_workdir


def _config(**changes):
    return Config(**{"records": ("world",), "workdir": "run"} | changes)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_numpy_cannot_take_is_refused(seed):
    with pytest.raises(ConfigError, match=f"--seed must lie in .* got {seed}"):
        check_config(_config(seed=seed))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hard_share": 1.2}, "--hard_share must lie in 0 to 1, got 1.2"),
        ({"temperature": 0.0}, "--temperature must be positive, got 0.0"),
        ({"edge_weight": -1.0}, "--edge_weight must be at least 0, got -1.0"),
        ({"label_shift_m": -1.0}, "--label_shift_m must be at least 0"),
        ({"hint_weight": -1.0}, "--hint_weight must be at least 0, got -1.0"),
        (
            {"hint_weight": 0.5},
            "--hint_weight=0.5 compares .* on the fly; give --teacher, or drop",
        ),
        (
            {"temperature": 2.0},
            "--temperature=2 softens a teacher's answers, .* --hard_share=1;",
        ),
        (
            {"network": "teacher", "fusion": "attention"},
            "--fusion=attention is a choice of --network=student; drop",
        ),
        (
            {"network": "u_tae", "fusion": "late_mean"},
            "--fusion=late_mean .* drop it for --network=u_tae",
        ),
        ({"view": True}, "--view is for --network=teacher, .*=student"),
    ],
)
def test_flags_that_have_no_part_together_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        check_config(_config(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        # A student of labels alone may still be led by a teacher's features.
        {"teacher": "runs/teacher", "hint_weight": 0.5},
        {"temperature": 2.0, "hard_share": 0.3},
        {"label_shift_m": 3.0, "edge_weight": 1.0, "fusion": "late_mean"},
        {"network": "teacher", "view": True, "label_shift_m": 3.0},
    ],
)
def test_flags_that_go_together_are_taken(changes):
    check_config(_config(**changes))


def test_every_flag_explains_itself(capsys):
    with pytest.raises(SystemExit):
        parse_config(Config, ["train", "--help"], "Train.")
    shown = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(Config):
        assert f"--{field.name} (" in shown
        assert field.metadata["help"] in shown


def test_a_refused_run_may_be_begun_with_other_flags(tmp_path):
    (tmp_path / "run.flags").write_text("--seed=1\n")
    check_workdir(tmp_path, _config())
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "epoch-00001.weights.h5").touch()
    with pytest.raises(ConfigError, match="was begun with other flags"):
        check_workdir(tmp_path, _config())
