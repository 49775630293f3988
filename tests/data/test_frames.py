import collections

import numpy as np
import pytest
import tensorflow as tf

from s2distill.data import frames

SEED = tf.constant([3, 4], tf.int64)


compiled_draw = tf.function(frames.draw_frames, reduce_retracing=True)


def draw(valid, number, frame_drop=0.0, seed=SEED):
    order, kept = compiled_draw(
        tf.constant(valid), number, frame_drop, tf.cast(seed, tf.int64)
    )
    return order.numpy(), kept.numpy()


def stack_with(shown):
    valid = np.zeros((len(shown), 3, 4), np.uint8)
    for number, is_shown in enumerate(shown):
        valid[number, number % 3, number % 4] = is_shown
    return valid


def test_only_frames_that_show_something_are_drawn_once_each():
    shown = [1, 0, 1, 1, 0, 1]
    for seed in range(20):
        order, kept = draw(stack_with(shown), 3, seed=[seed, 0])
        assert len(order) == 3 == len(set(order))
        assert set(order) <= {0, 2, 3, 5}
        assert kept.all()
    order, _ = draw(stack_with(shown), 9)
    assert set(order) == {0, 2, 3, 5}


def test_every_order_is_equally_likely():
    n = 600
    drawn = collections.Counter(
        tuple(draw(stack_with([1, 1, 1]), 3, seed=[seed, 1])[0])
        for seed in range(n)
    )
    assert len(drawn) == 6
    # Binomial(n, 1/6): within 5 standard deviations.
    assert max(abs(c - n / 6) for c in drawn.values()) < 5 * np.sqrt(n * 5 / 36)


def test_frames_are_dropped_at_the_rate_asked_for_but_one_stays():
    kept = [
        draw(stack_with([1] * 4), 4, 0.3, seed=[seed, 2])[1].sum()
        for seed in range(500)
    ]
    assert min(kept) >= 1
    # 4 * 0.7, and 1 in place of 0 with chance 0.3 ** 4.
    assert np.mean(kept) == pytest.approx(2.8 + 0.3**4, abs=0.15)
    assert all(
        draw(stack_with([1] * 4), 4, 0.999999, seed=[s, 2])[1].sum() == 1
        for s in range(20)
    )


@pytest.mark.parametrize("shape", [(0, 3, 4), (5, 3, 4)])
def test_a_stack_that_shows_nothing_draws_nothing(shape):
    order, kept = draw(np.zeros(shape, np.uint8), 3, 0.2)
    assert order.shape == kept.shape == (0,)


def test_a_draw_is_a_function_of_its_seed():
    one, two = (draw(stack_with([1] * 9), 5, 0.5) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    other = draw(stack_with([1] * 9), 5, 0.5, seed=[3, 5])
    assert not np.array_equal(one[0], other[0])


def test_the_clearest_frames_keep_the_order_of_the_stack():
    rng = np.random.default_rng(0)
    for _ in range(20):
        valid = (rng.random((7, 2, 3)) < 0.5).astype(np.uint8)
        clear = valid.sum((1, 2)).astype(int)
        twin = sorted(sorted(range(7), key=lambda t: (-clear[t], t))[:4])
        found = frames.pick_clearest(tf.constant(valid), 4)
        np.testing.assert_array_equal(found, twin)


def test_fewer_frames_than_asked_for_are_all_taken():
    for count in (0, 2):
        valid = tf.ones((count, 2, 3), tf.uint8)
        assert frames.pick_clearest(valid, 4).numpy().tolist() == list(
            range(count)
        )


def test_padding_adds_frames_of_zeros_at_the_end():
    stack = tf.ones((2, 3, 1), tf.uint16)
    padded = frames.pad_frames(stack, 5)
    assert padded.shape == (5, 3, 1)
    assert padded.dtype == tf.uint16
    np.testing.assert_array_equal(padded[:, 0, 0], [1, 1, 0, 0, 0])
