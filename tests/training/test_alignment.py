import numpy as np
import pytest
import tensorflow as tf

from s2distill.errors import ConfigError
from s2distill.training.alignment import _COST_OF_FARTHEST
from s2distill.training.alignment import ShiftFinder
from s2distill.training.alignment import find_shifts
from s2distill.training.alignment import make_shifts
from s2distill.training.alignment import shift_targets

H, W, RADIUS_PX, STEP_PX = 36, 44, 6, 2
MOVED = np.array([[0, 0], [2, -4], [-4, 4], [6, 0]], np.int32)


def _blocks(seed):
    """Random masks of blocks four pixels wide."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((len(MOVED), H // 4, W // 4, 1)) < 0.4
    return coarse.repeat(4, axis=1).repeat(4, axis=2).astype("float32")


def _move(planes, shifts):
    """Plane b moved by shift b: what was at (y, x) comes to (y, x) + shift."""
    return np.stack(
        [
            np.roll(plane, shift, axis=(0, 1))
            for plane, shift in zip(planes, shifts, strict=True)
        ]
    )


@pytest.fixture
def masks():
    """Buildings and roads of a sure network, and their labels elsewhere."""
    made = []
    for seed in range(2):
        truth = _blocks(seed)
        label = _move(truth, MOVED)
        made.append((6 * truth - 3, label, np.ones_like(label)))
    return made


def _find(masks, radius_px=RADIUS_PX):
    found = find_shifts(masks, radius_px=radius_px, step_px=STEP_PX)
    return np.asarray(found)


def test_shifts_fill_a_circle_nearest_first():
    shifts = make_shifts(6.2, 2)
    length = np.hypot(*shifts.T)
    assert (shifts[0] == 0).all()
    assert (np.diff(length) >= 0).all()
    # All even pairs within the circle: 1 + 4 + 4 + 4 + 8 + 4 + 4.
    assert len({tuple(s) for s in shifts.tolist()}) == len(shifts) == 29
    assert (shifts % 2 == 0).all()
    assert length.max() == 6


def test_labels_moved_by_a_known_amount_are_found(masks):
    np.testing.assert_array_equal(_find(masks), MOVED)


def test_one_mask_is_enough(masks):
    np.testing.assert_array_equal(_find(masks[:1]), MOVED)


def test_a_shift_beyond_the_radius_is_not_tried(masks):
    found = _find(masks, radius_px=4.5)
    assert np.hypot(*found.T).max() <= 4.5
    np.testing.assert_array_equal(found[:2], MOVED[:2])


def test_a_shift_between_the_steps_is_found_to_a_pixel():
    rng = np.random.default_rng(0)
    smooth = rng.random((4, 10, 12, 1)).repeat(8, 1).repeat(8, 2)
    for axis in (1, 2):  # flanks of eight pixels
        smooth = np.mean([np.roll(smooth, i, axis) for i in range(8)], axis=0)
    truth = (1 / (1 + np.exp(-20 * (smooth - 0.5)))).astype("float32")
    moved = np.array([[1, 0], [-3, 2], [0, -5], [4, 3]])
    label = _move(truth, moved)
    logits = np.log(truth / (1 - truth)).clip(-4, 4)
    found = _find([(logits, label, np.ones_like(label))])
    assert np.abs(found - moved).max() <= 1
    assert np.abs(found - moved).mean() <= 0.25


def _nats_by_hand(logits, probs, weight, shift, reach):
    """Mean cross-entropy of one example, cell by cell, or None."""
    sums = []
    height, width = (side // STEP_PX for side in logits.shape)

    def cell(plane, row, col):
        rows, cols = (slice(i * STEP_PX, (i + 1) * STEP_PX) for i in (row, col))
        return plane[rows, cols].astype("float64")

    for row in range(reach, height - reach):
        for col in range(reach, width - reach):
            there = row + shift[0] // STEP_PX, col + shift[1] // STEP_PX
            if (cell(weight, *there) > 0).all():
                x = cell(logits, row, col).mean()
                p = cell(probs, *there).mean()
                sums.append(np.log1p(np.exp(x)) - x * p)
    return np.mean(sums)


def test_the_choice_is_next_to_that_of_a_loop_over_all_shifts():
    rng = np.random.default_rng(3)
    shape = (3, 17, 22, 1)  # an odd row is left over
    logits = rng.normal(0, 3, shape).astype("float32")
    probs = rng.random(shape).astype("float32")
    weight = (rng.random(shape) < 0.95).astype("float32")
    shifts = make_shifts(4.5, STEP_PX)
    found = _find([(logits, probs, weight)], radius_px=4.5)
    for b in range(3):
        nats = [
            _nats_by_hand(
                *(plane[b, ..., 0] for plane in (logits, probs, weight)), s, 2
            )
            + _COST_OF_FARTHEST * np.sum(s**2) / 4.5**2
            for s in shifts
        ]
        # Half a step is left to the parabola.
        assert np.abs(found[b] - shifts[np.argmin(nats)]).max() <= 1


def test_unknown_pixels_have_no_part(masks):
    rng = np.random.default_rng(5)
    known = (rng.random((len(MOVED), H, W, 1)) < 0.9).astype("float32")
    clean = [(x, p * known, known) for x, p, _ in masks]
    dirty = [(x, p * known + 9 * (1 - known), known) for x, p, _ in masks]
    np.testing.assert_array_equal(_find(clean), _find(dirty))
    np.testing.assert_array_equal(_find(clean), MOVED)


def test_ties_and_unknown_labels_go_to_no_shift(masks):
    undecided = [(np.zeros_like(x), p, w) for x, p, w in masks]
    assert not _find(undecided).any()
    unlabelled = [(x, p, np.zeros_like(w)) for x, p, w in masks]
    assert not _find(unlabelled).any()


def test_free_shapes_give_the_same_in_a_graph(masks):
    def find(*flat):
        triples = [flat[:3], flat[3:]]
        return find_shifts(triples, radius_px=RADIUS_PX, step_px=STEP_PX)

    free = [tf.TensorSpec((None, None, None, 1))] * 6
    flat = [tf.constant(plane) for mask in masks for plane in mask]
    np.testing.assert_array_equal(
        tf.function(find, input_signature=free)(*flat), MOVED
    )
    np.testing.assert_array_equal(
        tf.function(find, jit_compile=True)(*flat), MOVED
    )


def test_the_choice_has_no_gradient(masks):
    logits = tf.Variable(masks[0][0])
    with tf.GradientTape() as tape:
        found = tf.cast(_graph_find(logits, masks), "float32")
        total = tf.reduce_sum(found)
    assert tape.gradient(total, logits) is None


def _graph_find(logits, masks):
    return find_shifts(
        [(logits, *masks[0][1:])], radius_px=RADIUS_PX, step_px=STEP_PX
    )


def test_what_all_shifts_have_in_common_is_taken_from_them(masks):
    finder = ShiftFinder(radius_px=RADIUS_PX, step_px=STEP_PX)
    first = np.asarray(finder(masks, training=True))
    np.testing.assert_array_equal(first, MOVED)  # nothing is known yet
    for _ in range(200):
        last = finder(masks, training=True)
    common = MOVED.mean(axis=0)  # [1, 0]
    np.testing.assert_allclose(finder.mean_px, common, atol=0.03)
    np.testing.assert_array_equal(last, MOVED - [1, 0])


def test_the_common_shift_stays_as_it_was_outside_training(masks):
    finder = ShiftFinder(radius_px=RADIUS_PX, step_px=STEP_PX)
    finder.mean_px.assign([-2.2, 0.6])
    np.testing.assert_array_equal(finder(masks), MOVED + np.array([2, -1]))
    np.testing.assert_allclose(finder.mean_px, [-2.2, 0.6], rtol=1e-6)
    assert not finder.trainable_weights


def test_targets_come_to_lie_under_the_answers():
    rng = np.random.default_rng(0)
    shape = (3, 7, 9, 1)
    planes = [rng.random(shape).astype("float32") for _ in range(3)]
    weight = (rng.random(shape) < 0.8).astype("float32")
    shifts = np.array([[0, 0], [2, -3], [-1, 4]], np.int32)
    found = shift_targets(
        {"mask": (planes[0], weight), "scale": (planes[1], weight, planes[2])},
        shifts,
    )
    assert [len(v) for v in found.values()] == [2, 3]
    for b, (dy, dx) in enumerate(shifts):
        for y in range(shape[1]):
            for x in range(shape[2]):
                there = b, y + dy, x + dx, 0
                inside = 0 <= there[1] < shape[1] and 0 <= there[2] < shape[2]
                at = b, y, x, 0
                want = weight[there] if inside else 0
                assert found["mask"][1][at] == found["scale"][1][at] == want
                if inside:
                    assert found["mask"][0][at] == planes[0][there]
                    assert found["scale"][2][at] == planes[2][there]


def test_no_shift_changes_nothing():
    rng = np.random.default_rng(0)
    pair = tuple(rng.random((2, 5, 6, 1)).astype("float32") for _ in range(2))
    found = shift_targets({"height": pair}, np.zeros((2, 2), np.int32))
    np.testing.assert_array_equal(found["height"], pair)


@pytest.mark.parametrize(
    ("side_px", "radius_px", "message"),
    [
        (32, 1.5, "label shift of 1.5 px is less than its step of 2 px"),
        (12, 6, "labels of 12 x 12 px are too small to be shifted by 6 px"),
    ],
)
def test_what_leaves_nothing_to_choose_is_refused(side_px, radius_px, message):
    plane = np.ones((1, side_px, side_px, 1), "float32")
    with pytest.raises(ConfigError, match=message):
        _find([(plane, plane, plane)], radius_px=radius_px)
