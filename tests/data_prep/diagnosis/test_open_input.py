import pytest

from data_prep.diagnosis.open_input import open_input
from s2distill.errors import ConfigError
from s2distill.errors import RecordError


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("eotdl-boadella/Boadella_2020-06-21.tif", "geotiff_frames"),
        ("nasaharvest", "geotiff_series"),
        ("solaris/sample_geotiff.tif", "image"),
        ("servir-aces/image_2021.tfrecord.gz", "earth_engine_image"),
        ("servir-aces/training.tfrecord.gz", "earth_engine_table"),
    ],
)
def test_real_inputs_are_told_apart_unprompted(real_data, path, kind):
    folder, _, file = path.partition("/")
    assert open_input([str(real_data(folder) / file)]).kind == kind


def test_records_are_told_by_their_manifest(real_records):
    folder = real_records()
    for path in (folder, folder.parent, folder / "records.json"):
        assert open_input([str(path)], look_at=1).kind == "records"
    two = open_input([str(folder), str(real_records())], look_at=2)
    assert two.records == 18


def test_what_is_not_there_is_one_line_with_the_ways(tmp_path):
    with pytest.raises(ConfigError, match="no such file.*records.json"):
        open_input([str(tmp_path / "none")])
    with pytest.raises(ConfigError, match="an empty folder"):
        open_input([str(tmp_path)])
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(ConfigError, match=r"nothing known .*notes\.txt"):
        open_input([str(tmp_path)])


def test_several_inputs_must_all_be_records(real_records, tmp_path):
    with pytest.raises(ConfigError, match="quote a glob"):
        open_input(["a.tif", "b.tif"])
    with pytest.raises(ConfigError, match="several inputs"):
        open_input([str(real_records()), str(tmp_path)])


def test_a_file_of_records_is_not_taken_for_an_export(real_records):
    folder = real_records()
    shard = next(folder.glob("*.tfrecord-*"))
    with pytest.raises(RecordError, match="give the folder"):
        open_input([str(shard)])
    (folder / "records.json").unlink()
    with pytest.raises(RecordError, match=r"records\.json"):
        open_input([str(folder)])


def test_flags_that_ask_for_nothing_are_refused():
    with pytest.raises(ConfigError, match="--input is empty"):
        open_input([])
    with pytest.raises(ConfigError, match="--look_at=0"):
        open_input(["a"], look_at=0)
