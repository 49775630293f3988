import numpy as np
import pytest

from data_prep import band_statistics
from s2distill.data.normalize import read_statistics
from s2distill.errors import RecordError


def test_statistics_are_those_of_the_valid_train_pixels(
    tmp_path, example_records
):
    written = example_records(
        tmp_path / "r", {"train": 5, "test": 9}, offset_dn=-1000.0
    )
    pixels = np.concatenate(
        [
            example["s2"]["image"][example["s2"]["valid"] > 0]
            for example in written["train"]
        ]
    )
    low, middle, high = np.percentile(pixels, [16, 50, 84], axis=0)
    found = band_statistics.compute_statistics(tmp_path / "r")
    assert found.bands == ("B2", "B8", "B12")
    np.testing.assert_allclose(found.centre, (middle - 1000) / 1e4, rtol=1e-12)
    np.testing.assert_allclose(found.scale, (high - low) / 2e4, rtol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.16, 0.5, 0.84, 1.0])
@pytest.mark.parametrize("size", [1, 2, 99, 1000])
def test_percentiles_of_counts_are_those_of_the_numbers(size, share):
    numbers = np.random.default_rng(size).integers(0, 50, size)
    counts = np.bincount(numbers, minlength=60)
    assert band_statistics.percentile_dn(counts, share) == pytest.approx(
        np.percentile(numbers, 100 * share), abs=1e-9
    )


def test_the_program_writes_what_training_reads(tmp_path, example_records):
    folders = [tmp_path / "a", tmp_path / "b"]
    for seed, folder in enumerate(folders):
        example_records(folder, {"train": 2}, seed=seed)
    band_statistics.run(
        band_statistics.Config(records=tuple(str(f) for f in folders))
    )
    for folder in folders:
        assert read_statistics(
            folder / "statistics.json"
        ) == band_statistics.compute_statistics(folder)


def test_a_band_without_contrast_keeps_a_scale(tmp_path, example_records):
    example_records(tmp_path / "r", {"train": 1}, frames=(1, 1), tile_px=1)
    found = band_statistics.compute_statistics(tmp_path / "r")
    assert found.scale == (1e-4,) * 3


def test_a_folder_without_train_records_is_refused(tmp_path, example_records):
    example_records(tmp_path / "r", {"test": 1})
    with pytest.raises(RecordError, match="no record in the train split of"):
        band_statistics.compute_statistics(tmp_path / "r")


def test_a_folder_without_a_valid_pixel_is_refused(tmp_path, example_records):
    example_records(tmp_path / "r", {"train": 2}, frames=(0, 0))
    with pytest.raises(RecordError, match="no valid pixel in the train split"):
        band_statistics.compute_statistics(tmp_path / "r")
    assert not (tmp_path / "r" / "statistics.json").exists()
