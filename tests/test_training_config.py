import pytest

from s2distill.errors import ConfigError
from s2distill.training_config import Config
from s2distill.training_config import check_config
from s2distill.training_config import check_workdir


def _config(**changes):
    return Config(**{"records": ("world",), "workdir": "run"} | changes)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_numpy_cannot_take_is_refused(seed):
    with pytest.raises(ConfigError, match=f"--seed must lie in .* got {seed}"):
        check_config(_config(seed=seed))


def test_a_refused_run_may_be_begun_with_other_flags(tmp_path):
    (tmp_path / "run.flags").write_text("--seed=1\n")
    check_workdir(tmp_path, _config())
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "epoch-00001.weights.h5").touch()
    with pytest.raises(ConfigError, match="was begun with other flags"):
        check_workdir(tmp_path, _config())
