"""Maps by windows against closed forms and single passes."""

import numpy as np
import pytest
import rasterio
from scipy import ndimage

from s2distill.data.frame_stack import open_frames
from s2distill.errors import ConfigError
from s2distill.errors import FrameError
from s2distill.errors import RasterError
from s2distill.serving.card import MAP_OUTPUTS
from s2distill.serving.region import RegionOptions
from s2distill.serving.region import map_region

FACTOR = 3
BANDS = ("B8", "B2")


@pytest.fixture
def write_frames(tmp_path):
    """Writes float frames [T, H, W, 2] of B2 and B8, one a date."""

    def write(frames):
        for day, frame in enumerate(frames, start=1):
            with rasterio.open(
                tmp_path / f"2024-05-{day:02d}.tif",
                "w",
                driver="GTiff",
                height=frame.shape[0],
                width=frame.shape[1],
                count=2,
                dtype="float32",
                crs="EPSG:32631",
                transform=rasterio.Affine(10, 0, 5e5, 0, -10, 4.6e6),
            ) as file:
                file.write(np.moveaxis(frame, -1, 0).astype(np.float32))
                file.descriptions = ("B2", "B8")
                file.update_tags(PRODUCT_LEVEL="L2A")
        return open_frames(str(tmp_path))

    return write


def random_frames(shape, seed=0):
    return np.random.default_rng(seed).integers(100, 4000, (*shape, 2))


def run_map(stack, predict, outputs=tuple(MAP_OUTPUTS), **options):
    blocks = map_region(
        stack,
        predict,
        bands=BANDS,
        label_factor=FACTOR,
        outputs=outputs,
        options=RegionOptions(**{"window_px": 12, "overlap_px": 4, **options}),
    )
    return np.concatenate(list(blocks))


def predict_constant(inputs):
    shape = inputs["frame_valid"].shape[2:]
    plane = np.ones((1, *(n * FACTOR for n in shape), 1), np.float32)
    return {name: (i + 0.3) * plane for i, name in enumerate(MAP_OUTPUTS)}


def predict_mean(inputs):
    """Per pixel, the mean of B8 and of B2 over the frames that saw it."""
    seen = inputs["frame_valid"].astype(np.float32)[..., None]
    count = np.maximum(seen.sum(1), 1)
    mean = (inputs["s2_dn"] * seen).sum(1) / count
    fine = mean.repeat(FACTOR, 1).repeat(FACTOR, 2)
    planes = (fine[..., :1], fine[..., 1:], fine[..., :1] * 2, fine[..., 1:])
    return dict(zip(MAP_OUTPUTS, planes, strict=True))


def predict_blurred(inputs):
    """A local model: 7 x 7 means, zero outside its window."""
    answers = predict_mean(inputs)
    return {
        name: ndimage.uniform_filter(
            plane, (1, 7, 7, 1), mode="constant"
        ).astype(np.float32)
        for name, plane in answers.items()
    }


@pytest.mark.parametrize(
    "size", [(1, 1), (5, 9), (12, 13), (37, 29), (24, 12), (13, 50)]
)
def test_a_constant_model_gives_a_constant_map_to_the_very_edge(
    write_frames, size
):
    stack = write_frames(random_frames((2, *size)))
    result = run_map(stack, predict_constant)
    assert result.shape == (size[0] * FACTOR, size[1] * FACTOR, 4)
    for i in range(4):
        np.testing.assert_allclose(result[..., i], i + 0.3, rtol=1e-6)


def test_a_model_of_single_pixels_gives_each_pixel_its_own_answer(
    write_frames,
):
    frames = random_frames((3, 31, 26))
    result = run_map(write_frames(frames), predict_mean)
    fine = frames.mean(0).repeat(FACTOR, 0).repeat(FACTOR, 1)
    np.testing.assert_allclose(result[..., 0], fine[..., 1], rtol=1e-5)
    np.testing.assert_allclose(result[..., 1], fine[..., 0], rtol=1e-5)
    np.testing.assert_allclose(result[..., 2], 2 * fine[..., 1], rtol=1e-5)


def test_only_the_outputs_asked_for_are_mapped_in_their_order(write_frames):
    stack = write_frames(random_frames((2, 13, 17)))
    whole = run_map(stack, predict_mean)
    part = run_map(stack, predict_mean, outputs=("height_m", "building"))
    np.testing.assert_array_equal(part, whole[..., [3, 0]])


def test_windows_of_a_local_model_equal_its_single_pass(write_frames):
    stack = write_frames(random_frames((2, 40, 48)))
    single = run_map(stack, predict_blurred, window_px=48)
    windows = run_map(stack, predict_blurred)
    np.testing.assert_allclose(windows, single, rtol=1e-5)


def test_with_too_little_overlap_windows_of_a_local_model_show_seams(
    write_frames,
):
    stack = write_frames(random_frames((2, 40, 48)))
    single = run_map(stack, predict_blurred, window_px=48)
    seams = run_map(stack, predict_blurred, overlap_px=1)
    assert np.abs(seams / single - 1).max() > 0.05


def test_a_nan_pixel_is_nodata_and_does_not_spoil_its_neighbours(
    write_frames, tmp_path
):
    frames = random_frames((1, 20, 23)).astype(float)
    whole = run_map(write_frames(frames), predict_mean)
    frames[0, 11, 7, 1] = np.nan
    result = run_map(write_frames(frames), predict_mean)
    hole = np.s_[11 * FACTOR : 12 * FACTOR, 7 * FACTOR : 8 * FACTOR]
    assert np.isnan(result[hole]).all()
    result[hole] = whole[hole]
    np.testing.assert_array_equal(result, whole)


def test_a_nan_pixel_of_one_date_leaves_the_other_dates(write_frames):
    frames = random_frames((2, 20, 23)).astype(float)
    frames[0, 11, 7, 1] = np.nan
    result = run_map(write_frames(frames), predict_mean)
    np.testing.assert_allclose(
        result[11 * FACTOR, 7 * FACTOR, :2], frames[1, 11, 7, ::-1], rtol=1e-6
    )


def test_ground_that_no_frame_shows_is_nodata_and_the_rest_is_mapped(
    write_frames,
):
    frames = random_frames((2, 30, 33))
    frames[:, :, 14:] = 0
    frames[0, 20:] = 0
    result = run_map(write_frames(frames), predict_constant)
    assert np.isnan(result[:, 14 * FACTOR :]).all()
    assert np.isfinite(result[:, : 14 * FACTOR]).all()


def test_a_masked_cloudy_date_changes_nothing(write_frames, tmp_path):
    frames = random_frames((4, 20, 23))
    frames[1] = 9000
    with_cloud = run_map(write_frames(frames), predict_blurred, cloud_dn=5000)
    (tmp_path / "2024-05-02.tif").unlink()
    without = run_map(open_frames(str(tmp_path)), predict_blurred)
    np.testing.assert_array_equal(with_cloud, without)


def test_the_network_gets_the_clearest_frames_in_the_order_of_time(
    write_frames,
):
    frames = random_frames((4, 8, 8))
    frames[0, :, :5] = 0
    frames[2, 0, 0] = 0
    seen = []

    def predict(inputs):
        seen.append(inputs["s2_dn"][0, :, 7, 7, 1])
        return predict_constant(inputs)

    run_map(write_frames(frames), predict, max_frames=3)
    np.testing.assert_array_equal(seen, [frames[1:, 7, 7, 0]])


def test_windows_are_padded_with_unseen_pixels(write_frames):
    shapes = []

    def predict(inputs):
        shapes.append(inputs["s2_dn"].shape)
        assert inputs["frame_valid"].sum() == 5 * 9
        return predict_constant(inputs)

    run_map(write_frames(random_frames((1, 5, 9))), predict)
    assert shapes == [(1, 1, 8, 16, 2)]


def test_frames_that_are_all_invalid_are_refused(write_frames):
    stack = write_frames(np.zeros((2, 9, 9, 2)))
    with pytest.raises(FrameError, match="none of 2 frames has a usable pixel"):
        run_map(stack, predict_constant)


def test_a_frame_cut_in_the_middle_is_named(write_frames, tmp_path):
    stack = write_frames(random_frames((2, 60, 60)))
    path = tmp_path / "2024-05-02.tif"
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(RasterError, match=r"2024-05-02.tif"):
        run_map(stack, predict_constant)


def test_every_window_is_reported(write_frames):
    counted = []
    list(
        map_region(
            write_frames(random_frames((1, 20, 28))),
            predict_constant,
            bands=BANDS,
            label_factor=FACTOR,
            outputs=tuple(MAP_OUTPUTS),
            options=RegionOptions(window_px=12, overlap_px=4),
            on_window=counted.append,
        )
    )
    assert counted == [1] * (2 * 3)


def test_no_frames_at_most_is_refused():
    with pytest.raises(ConfigError, match="max_frames=0"):
        RegionOptions(max_frames=0)


def test_a_masked_pixel_is_given_as_zero_and_not_seen(write_frames):
    frames = random_frames((1, 8, 8))
    frames[0, 3, 5, 0] = 7000

    def predict(inputs):
        np.testing.assert_array_equal(inputs["s2_dn"][0, 0, 3, 5], [0, 0])
        assert inputs["frame_valid"][0, 0, 3, 5] == 0
        assert inputs["frame_valid"].sum() == 63
        return predict_constant(inputs)

    result = run_map(write_frames(frames), predict, cloud_dn=5000)
    assert np.isnan(result).sum() == FACTOR * FACTOR * 4


def test_an_exported_student_maps_an_odd_scene_by_windows(
    saved_models, tmp_path
):
    from s2distill.serving.predictor import load_predictor

    predictor = load_predictor(saved_models["student"])
    frames = np.random.default_rng(1).integers(100, 4000, (2, 19, 27, 3))
    for day, frame in enumerate(frames, start=1):
        with rasterio.open(
            tmp_path / f"2024-05-{day:02d}.tif",
            "w",
            driver="GTiff",
            height=19,
            width=27,
            count=3,
            dtype="uint16",
            crs="EPSG:32631",
            transform=rasterio.Affine(10, 0, 5e5, 0, -10, 4.6e6),
        ) as file:
            file.write(np.moveaxis(frame, -1, 0).astype(np.uint16))
            file.update_tags(PRODUCT_LEVEL="L2A")
    card = predictor.card
    stack = open_frames(str(tmp_path), file_bands=card.bands)
    maps = [
        np.concatenate(
            list(
                map_region(
                    stack,
                    predictor,
                    bands=card.bands,
                    label_factor=card.label_factor,
                    outputs=card.map_outputs,
                    options=RegionOptions(window_px=side, overlap_px=8),
                )
            )
        )
        for side in (16, 32)
    ]
    assert maps[0].shape == (19 * card.label_factor, 27 * card.label_factor, 4)
    assert np.isfinite(maps).all()
    single = predictor(
        {
            "s2_dn": np.pad(frames, ((0, 0), (0, 5), (0, 5), (0, 0)))[
                None
            ].astype(np.uint16),
            "frame_valid": np.pad(
                np.ones((1, 2, 19, 27), np.uint8),
                ((0, 0), (0, 0), (0, 5), (0, 5)),
            ),
        }
    )
    inside = np.s_[0, : maps[1].shape[0], : maps[1].shape[1], 0]
    for i, name in enumerate(MAP_OUTPUTS):
        np.testing.assert_allclose(
            maps[1][..., i], single[name][inside], rtol=1e-4, atol=1e-6
        )


def test_a_swath_edge_leaves_no_ground_unseen(write_frames):
    # More dates than may be used see the left; one sees the right.
    frames = random_frames((6, 16, 16)).astype(float)
    frames[:5, :, 10:] = np.nan
    frames[5, :, :10] = np.nan
    mapped = run_map(write_frames(frames), predict_constant, max_frames=3)
    assert np.isfinite(mapped).all()
