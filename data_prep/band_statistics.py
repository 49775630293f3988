"""Write the band statistics of record folders, for normalisation.

    python -m data_prep.band_statistics --records=world/labelled

Reads the train split alone, and its valid pixels alone, and writes
`statistics.json` into each folder: for each band the median reflectance and
half the distance from the 16th to the 84th percentile. Both are exact: the
digital numbers are counted one by one, 65536 counters a band.
"""

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING

from absl import logging

from s2distill.errors import RecordError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    import numpy as np

    from s2distill.data.normalize import BandStatistics

_DN_VALUES = 2**16
# Percentiles one standard deviation about the median of a Gaussian.
_LOW, _MIDDLE, _HIGH = 0.16, 0.50, 0.84
# A band without contrast would divide by zero; one DN is its resolution.
_MIN_SPREAD_DN = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    records: tuple[str, ...] = flag(help="Record folders.")


def run(config: Config) -> None:
    """Writes `statistics.json` into each folder."""
    for directory in config.records:
        path = write_folder_statistics(directory)
        logging.info("Wrote %s.", path)


def write_folder_statistics(directory: str | os.PathLike[str]) -> pathlib.Path:
    """Computes and writes `statistics.json` of one folder.

    Returns:
      The file.

    Raises:
      RecordError: As `compute_statistics`.
    """
    from s2distill.data.manifest import STATISTICS_FILE
    from s2distill.data.normalize import write_statistics

    path = pathlib.Path(directory) / STATISTICS_FILE
    write_statistics(path, compute_statistics(directory))
    return path


def compute_statistics(directory: str | os.PathLike[str]) -> "BandStatistics":
    """Band statistics of the valid pixels of the train split.

    Args:
      directory: Folder of records.

    Returns:
      Median and spread of the reflectance of each band of the records.

    Raises:
      RecordError: No train split, or not one valid pixel in it.
    """
    from s2distill.data.folders import open_folders
    from s2distill.data.normalize import BandStatistics

    spec = open_folders([directory])[0].spec
    counts = _count_dn(directory, len(spec.bands))
    if not counts[0].sum():
        raise RecordError(
            f"no valid pixel in the train split of {directory}; its frames "
            "show nothing that could be learnt from"
        )
    centre, scale = [], []
    for counts_of_band in counts:
        low, middle, high = (
            percentile_dn(counts_of_band, share)
            for share in (_LOW, _MIDDLE, _HIGH)
        )
        spread_dn = max((high - low) / 2, _MIN_SPREAD_DN)
        centre.append((middle + spec.offset_dn) / spec.quantification_dn)
        scale.append(spread_dn / spec.quantification_dn)
    return BandStatistics(
        bands=spec.bands, centre=tuple(centre), scale=tuple(scale)
    )


def percentile_dn(counts: "np.ndarray", share: float) -> float:
    """The value below which `share` of the counted numbers lie.

    Between two numbers it is interpolated, as `numpy.percentile` does.

    Args:
      counts: [N] how often each of 0 .. N - 1 occurs; not all 0.
      share: 0..1.
    """
    import numpy as np

    below = np.cumsum(counts)
    place = share * (below[-1] - 1)
    first, last = np.floor(place), np.ceil(place)
    low, high = np.searchsorted(below, [first, last], side="right")
    return float(low + (high - low) * (place - first))


def _count_dn(directory: str | os.PathLike[str], bands: int) -> "np.ndarray":
    """[C, 65536] int64: how often each DN occurs in a valid pixel."""
    import numpy as np
    import tqdm

    from s2distill.data.folders import list_files
    from s2distill.data.folders import open_folders
    from s2distill.data.folders import read_records

    files = list_files([directory], open_folders([directory]), "train")
    counts = np.zeros((bands, _DN_VALUES), np.int64)
    for record in tqdm.tqdm(
        read_records(directory, "train", ("s2/image", "s2/valid")),
        total=sum(file.records for file in files),
        desc="band statistics",
        unit="record",
    ):
        dn = record["s2"]["image"][record["s2"]["valid"] > 0]
        for band in range(bands):
            counts[band] += np.bincount(dn[:, band], minlength=_DN_VALUES)
    return counts


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()
