import collections

import keras
import pytest
import tensorflow as tf

from s2distill.data import record_stream
from s2distill.data.folders import RecordFile
from s2distill.errors import RecordError

COUNTS = (5, 1, 7, 3)
NAMES = {f"{f}-{r}" for f, n in enumerate(COUNTS) for r in range(n)}


@pytest.fixture
def files(tmp_path):
    made = []
    for number, count in enumerate(COUNTS):
        path = str(tmp_path / f"file-{number}")
        with tf.io.TFRecordWriter(path) as writer:
            for record in range(count):
                writer.write(f"{number}-{record}")
        made.append(RecordFile(path=path, folder=number % 2, records=count))
    return made


def names(dataset, number=None):
    dataset = dataset if number is None else dataset.take(number)
    return [text.decode() for text, _ in dataset.as_numpy_iterator()]


def share(files, index=0, count=1):
    return record_stream.share_of_host(files, index, count)


@pytest.mark.parametrize("hosts", [1, 2, 3, 4, 6, 16])
def test_every_record_belongs_to_exactly_one_host(files, hosts):
    read = [
        names(record_stream.read_in_order(share(files, i, hosts)))
        for i in range(hosts)
    ]
    assert all(read)
    counts = collections.Counter(name for part in read for name in part)
    assert counts == collections.Counter(NAMES)


def test_more_hosts_than_records_are_refused(files):
    with pytest.raises(RecordError, match="16 records, .* for 17 hosts"):
        share(files, 0, 17)


def test_reading_in_order_goes_file_by_file_with_its_folder(files):
    found = list(record_stream.read_in_order(share(files)).as_numpy_iterator())
    order = [f.path[-1] for f in share(files).files]
    assert [t.decode()[0] for t, _ in found] == [
        name for name in order for _ in range(COUNTS[int(name)])
    ]
    assert all(int(t.decode()[0]) % 2 == folder for t, folder in found)


@pytest.mark.parametrize("buffer", [1, 4, 100])
def test_each_epoch_holds_each_record_once(files, buffer):
    stream = record_stream.read_shuffled(share(files), buffer, seed=0)
    read = names(stream, 3 * len(NAMES))
    epochs = [read[i : i + len(NAMES)] for i in range(0, len(read), len(NAMES))]
    assert all(set(epoch) == NAMES for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_order_is_that_of_the_seed_whatever_the_global_seed(files):
    def read(seed):
        stream = record_stream.read_shuffled(share(files), 6, seed)
        return names(stream, 40)

    first = read(5)
    keras.utils.set_random_seed(99)
    assert read(5) == first
    stream = record_stream.read_shuffled(share(files), 6, 5)
    assert names(stream, 40) == names(stream, 40) == first
    assert read(6) != first
