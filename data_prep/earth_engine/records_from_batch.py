r"""Makes records of the batch exports of data_prep.earth_engine.batch_export.

python -m data_prep.earth_engine.records_from_batch --workdir=runs/area1 \
    --output=records/area1

What was asked for, the places and the tasks stand in WORKDIR. A cell is
finished when the ledger there says that its tasks succeeded; after
`batch_export --nowait`, run batch_export again to bring it up to date. The
files of each finished cell are read, every patch is checked to show its own
ground, and its places become records; places of cells that are not finished
are counted and listed in WORKDIR/dead_letter.jsonl. Runs on Apache Beam: on
this machine, or with Beam's options after `--` on Dataflow.
"""

import dataclasses
import os
from typing import TYPE_CHECKING

from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.record_config import RecordsConfig
from data_prep.earth_engine.records.record_config import check_beam
from data_prep.earth_engine.records.record_config import check_records_config
from data_prep.earth_engine.records.record_config import find_answers_folder
from s2distill.flag_config import flag
from s2distill.flag_config import rest_arguments
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    from data_prep.earth_engine.batch.batch_settings import BatchSettings
    from data_prep.earth_engine.batch.ingest import IngestSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of data_prep.earth_engine.records_from_batch."""

    workdir: str = flag(help="That of data_prep.earth_engine.batch_export.")
    output: str = flag(help="Record folder to write, local or gs://.")
    exports: str = flag(
        "",
        help="Folder of the exports, local or gs://, if they were copied, "
        "with the folders below --prefix as they were; else they are where "
        "they were exported to.",
    )
    records_per_shard: int = flag(64, help="At most so many in a file.")
    keep_answers: bool = flag(
        False, help="Keep the answers in WORKDIR when the records are written."
    )
    overwrite: bool = flag(False, help="Replace a record folder that exists.")
    beam_args: tuple[str, ...] = rest_arguments(
        help="Options of Apache Beam, as of data_prep.earth_engine.export."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _RecordsOfBatch(RecordsConfig, Recipe):
    """Flags that data_prep.earth_engine.export would have, for provenance."""


def run(config: Config) -> None:
    """Writes the record folder."""
    check_beam()
    from data_prep.earth_engine.batch.batch_settings import read_settings
    from data_prep.earth_engine.batch.ingest import IngestPlaces
    from data_prep.earth_engine.records.beam_run import make_options
    from data_prep.earth_engine.records.record_output import check_output
    from data_prep.earth_engine.records.record_run import make_record_folder

    batch = read_settings(config.workdir)
    records = _make_records_config(config, batch)
    check_records_config(records)
    check_output(records)
    ingest = _make_ingest_settings(config, records, batch)
    make_record_folder(
        records,
        batch.recipe,
        IngestPlaces(ingest),
        make_options(
            config.beam_args,
            paths=(config.workdir, config.output, ingest.exports),
        ),
        program="data_prep.earth_engine.records_from_batch",
    )


def _make_records_config(
    config: Config, batch: "BatchSettings"
) -> _RecordsOfBatch:
    from data_prep.earth_engine.batch.batch_settings import PLACES_FILE

    recipe = {
        field.name: getattr(batch.recipe, field.name)
        for field in dataclasses.fields(Recipe)
    }
    return _RecordsOfBatch(
        **recipe,
        places=os.path.join(config.workdir, PLACES_FILE),
        output=config.output,
        workdir=config.workdir,
        date=batch.date,
        records_per_shard=config.records_per_shard,
        keep_answers=config.keep_answers,
        overwrite=config.overwrite,
    )


def _make_ingest_settings(
    config: Config, records: RecordsConfig, batch: "BatchSettings"
) -> "IngestSettings":
    from data_prep.earth_engine.batch.batch_ledger import Ledger
    from data_prep.earth_engine.batch.batch_settings import LEDGER_FILE
    from data_prep.earth_engine.batch.ingest import IngestSettings

    ledger = Ledger(os.path.join(config.workdir, LEDGER_FILE))
    return IngestSettings(
        batch=batch,
        exports=config.exports or batch.exports,
        answers=find_answers_folder(records, batch.recipe),
        entries={entry.task: entry for entry in ledger.entries()},
    )


def main() -> None:
    """Entry point of the console script."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()
