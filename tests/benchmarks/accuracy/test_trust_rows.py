import numpy as np
import pytest

from benchmarks.accuracy.trust_rows import make_trust_rows
from benchmarks.accuracy.trust_rows import read_windows


def test_rows_tell_windows_apart_as_their_scores_do():
    rng = np.random.default_rng(2)
    inside = rng.uniform(0, 1, (10, 4))
    inside[:3, 1] = 1.5  # false alarms
    rows = make_trust_rows(
        inside,
        {
            "snow": np.append(rng.uniform(2, 3, 11), np.nan).reshape(3, 4),
            "same": rng.permutation(inside),
        },
    )
    assert rows["test"] == {"windows": 40, "false_alarms": 3 / 40}
    snow, same = rows["worlds"]["snow"], rows["worlds"]["same"]
    assert (snow["windows"], snow["auroc"], snow["caught"]) == (11, 1, 1)
    assert snow["interval"] == [1, 1]
    assert same["auroc"] == 0.5
    assert same["interval"][0] < 0.5 < same["interval"][1]


def test_windows_are_read_as_judge_windows_writes_them(tmp_path):
    np.savez(tmp_path / "snow.npz", scores=np.array([0.5, np.nan]))
    found = read_windows(tmp_path / "snow.npz")
    assert found == pytest.approx([0.5, np.nan], nan_ok=True)


def test_windows_of_a_tile_are_no_new_evidence():
    """The same windows, each four times: as wide an interval as before."""
    rng = np.random.default_rng(6)
    inside, outside = rng.normal(0, 1, (30, 1)), rng.normal(1, 1, (20, 1))
    one = make_trust_rows(inside, {"snow": outside})["worlds"]["snow"]
    four = make_trust_rows(
        np.repeat(inside, 4, axis=1), {"snow": np.repeat(outside, 4, axis=1)}
    )["worlds"]["snow"]
    assert four["windows"] == 80
    assert four["auroc"] == pytest.approx(one["auroc"])
    assert four["interval"] == pytest.approx(one["interval"])
