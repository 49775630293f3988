import numpy as np
import pytest

from data_prep.diagnosis.open_records import find_record_folders
from data_prep.diagnosis.open_records import open_records
from s2distill.errors import RecordError


def test_records_are_opened_whole(real_records):
    folder = str(
        real_records(fields=("image", "building"), splits=("train", "test"))
    )
    subject = open_records("x", [folder], 64)
    assert subject.kind == "records"
    assert subject.records == 6
    assert subject.shape == (7, 32, 32, 10)
    assert subject.crs == "EPSG:32631"
    assert subject.transform == (10.0, 0.0, 5e5, 0.0, -10.0, 4.69e6)
    assert [place.split for place in subject.places] == ["train"] * 3 + [
        "test"
    ] * 3
    facts = subject.record_facts
    assert facts.counts == {"train": 3, "validation": 0, "test": 3}
    assert facts.labels.building_share == 128 / 4096
    assert facts.labels.buildings == 18
    assert len(facts.footprints) == 6
    place = subject.places[4]
    assert place.name == "test-1"
    assert place.grid.bounds[0] == 5e5 + 400
    assert place.picture.shape == (64, 64, 3)
    assert place.frames[2].name == "frame 2 of test-1"
    assert subject.statistics is None


def test_pixels_and_masks_are_those_of_the_file(real_records, ten_bands):
    def hide(key, image, valid):
        valid[1, :4] = 0
        return image, valid

    subject = open_records("x", [str(real_records(hide))], 64)
    frame = subject.places[1].frames[1]
    source = ten_bands.places[0].frames[1].values
    np.testing.assert_array_equal(frame.values, source[40:72, :32])
    np.testing.assert_array_equal(frame.inside.all(axis=1), np.arange(32) > 3)


def test_a_part_is_spread_over_all_files_and_told(real_records):
    subject = open_records("x", [str(real_records())], 3)
    assert [place.split for place in subject.places] == [
        "train",
        "validation",
        "test",
    ]
    assert subject.looked_at.startswith("3 of 9 records")
    assert len(subject.record_facts.footprints) == 9


def test_two_folders_are_one_set_and_may_not_fit(real_records):
    folders = [
        str(real_records()),
        str(real_records(product_level="L1C", splits=("train",))),
    ]
    subject = open_records("x", folders, 64)
    assert subject.records == 12
    (finding,) = subject.findings
    assert (finding.code, finding.severity) == ("folders_differ", "error")
    assert "L1C" in finding.message


def test_statistics_beside_the_records_are_read(real_records, l2a_statistics):
    from s2distill.data.normalize import write_statistics

    folder = real_records()
    write_statistics(folder / "statistics.json", l2a_statistics)
    subject = open_records("x", [str(folder)], 64)
    assert subject.statistics == l2a_statistics
    (folder / "statistics.json").write_text("{")
    subject = open_records("x", [str(folder)], 64)
    assert [f.code for f in subject.findings] == ["bad_statistics"]


def test_a_damaged_file_is_an_error(real_records):
    folder = real_records()
    path = next(folder.glob("*.tfrecord-*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(RecordError, match="damaged"):
        open_records("x", [str(folder)], 64)


def test_folders_of_records_are_found_one_level_down(real_records, tmp_path):
    folder = real_records()
    assert find_record_folders(str(folder)) == [str(folder)]
    assert find_record_folders(str(folder.parent)) == [str(folder)]
    assert find_record_folders(str(tmp_path)) == []
    assert find_record_folders(str(tmp_path / "none")) == []
