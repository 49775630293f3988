"""Bars on results made by hand: met, missed, reported, not measured."""

import copy

import pytest

from benchmarks.accuracy.bars import make_bars


def _row(name, group, comparison=None, **metrics):
    return {
        "name": name,
        "group": group,
        "status": "ok",
        "metrics": metrics,
        "intervals": {key: [v - 0.1, v + 0.1] for key, v in metrics.items()},
        "comparison": comparison,
    }


def _against(first, second, difference, interval, verdict):
    return {
        "of": first,
        "with": second,
        "building_miou": {
            "difference": difference,
            "interval": interval,
            "verdict": verdict,
        },
    }


def _frames(counts, values):
    rows = []
    for number, (count, value) in enumerate(zip(counts, values, strict=True)):
        step = value - values[number - 1] if number else None
        rows.append(
            {
                "frames": count,
                "metrics": {"building_miou": value},
                "step": number
                and {"difference": step, "interval": [step - 1, step + 1]},
            }
        )
    return rows


def _cost(precision, share, seconds):
    forward = {
        "frames": 8,
        "product_gflops": 100.0,
        "share_of_product": share,
        "seconds_per_km2": seconds,
    }
    return {
        "network": "student",
        "preset": "small",
        "precision": precision,
        "forward": [forward],
    }


RESULTS = {
    "models": [
        _row("teacher", "headline", building_miou=0.86),
        _row(
            "student",
            "headline",
            retention=0.93,
            count_r2=0.90,
            height_mae_m=1.4,
            building_ece=0.021,
            invented_per_km2=100.0,
        ),
        _row(
            "bicubic_unet",
            "baselines",
            _against("student", "bicubic_unet", 0.02, [0.01, 0.03], "yes"),
            building_miou=0.7,
        ),
        _row(
            "u_tae",
            "baselines",
            _against(
                "student", "u_tae", 0.02, [-0.1, 0.1], "interval overlaps 0"
            ),
            building_miou=0.7,
        ),
    ],
    "frames": _frames((1, 2, 8), (0.6, 0.62, 0.67)),
    "out_of_distribution": {
        "test": {"windows": 40, "false_alarms": 0.1},
        "worlds": {"snow": {"windows": 9, "auroc": 0.95, "interval": [0.9, 1]}},
    },
    "cost": [
        _cost("mixed_bfloat16", 0.9, 0.1),
        _cost("float32", 0.72, 1.4),
    ],
}


def _verdicts(results):
    return {bar.what: bar.verdict for bar in make_bars(results)}


def test_each_bar_is_held_against_its_own_number():
    verdicts = _verdicts(RESULTS)
    assert verdicts["retention, buildings"] == "met"
    assert verdicts["teacher, building mIoU"] == "met"
    assert verdicts["count R2"] == "missed"
    assert verdicts["height MAE, m"] == "met"
    assert verdicts["ECE of presence, calibrated"] == "missed"
    assert verdicts["invented buildings per km2"] == "reported"
    assert verdicts["missed buildings per km2"] == "not measured"
    assert verdicts["out of distribution, snow: AUROC"] == "met"
    assert verdicts["in distribution: false alarms"] == "missed"


def test_frames_must_help_at_every_step_and_in_all():
    verdicts = _verdicts(RESULTS)
    assert verdicts["frames: smallest step of building mIoU"] == "met"
    assert verdicts["frames: mIoU of 8 over 1"] == "met"
    results = RESULTS | {"frames": _frames((1, 2, 8), (0.6, 0.66, 0.659))}
    verdicts = _verdicts(results)
    assert verdicts["frames: smallest step of building mIoU"] == "missed"
    assert verdicts["frames: mIoU of 8 over 1"] == "missed"


def test_a_baseline_within_the_interval_is_said_so():
    bars = {bar.what: bar for bar in make_bars(RESULTS)}
    clear = bars["student over bicubic_unet of equal budget, building mIoU"]
    assert (clear.verdict, clear.note) == ("met", "")
    unclear = bars["student over u_tae of equal budget, building mIoU"]
    assert (unclear.verdict, unclear.note) == ("met", "interval overlaps 0")


@pytest.mark.parametrize(
    ("miou", "verdict"), [(0.84, "missed"), (0.85, "met"), (0.98, "missed")]
)
def test_a_teacher_may_be_too_good(miou, verdict):
    results = copy.deepcopy(RESULTS)
    results["models"][0]["metrics"]["building_miou"] = miou
    assert _verdicts(results)["teacher, building mIoU"] == verdict


def test_speed_is_that_of_float32_beside_the_product():
    bars = {bar.what: bar for bar in make_bars(RESULTS)}
    share = bars[
        "student small, float32, 8 frames: share of the product's speed"
    ]
    assert (share.value, share.verdict) == (0.72, "met")
    # 1.4 s where the product has half the reference's speed.
    seconds = bars["student small, float32, 8 frames: s per km2 at 200 GFLOP/s"]
    assert seconds.value == pytest.approx(0.7)
    assert seconds.verdict == "met"


def test_what_was_not_run_is_not_measured_and_no_error():
    empty = {
        "models": [],
        "frames": [],
        "out_of_distribution": None,
        "cost": [],
    }
    verdicts = _verdicts(empty)
    assert set(verdicts.values()) == {"not measured"}
    assert len(verdicts) > 10
