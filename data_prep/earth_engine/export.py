r"""Makes records of places by asking Earth Engine for their pixels.

python -m data_prep.earth_engine.export --flagfile=configs/naip_export.flags \
    --places=places.geojson --output=records/area --ee_project=my-project

Runs on Apache Beam: on this machine, or with Beam's options after `--` on
Dataflow. `--dry_run` prints places, requests, bytes and time, and asks for
nothing. Answers are kept in OUTPUT.work until the records are written: a run
that was stopped goes on from there. Each answer is checked to show its own
place. Places without a record are counted by reason, and listed in
OUTPUT.work/dead_letter.jsonl.
"""

import sys
from typing import TYPE_CHECKING

from data_prep.earth_engine.export_config import ExportConfig as Config
from data_prep.earth_engine.export_config import check_export_config
from data_prep.earth_engine.records.record_config import check_beam
from data_prep.earth_engine.records.record_config import find_answers_folder
from s2distill.errors import ConfigError
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    from data_prep.earth_engine.places.place import Place
    from data_prep.earth_engine.records.planner import Plan


def run(config: Config) -> None:
    """Writes the record folder, or prints the plan."""
    from data_prep.earth_engine.places.wanted_places import read_wanted
    from data_prep.earth_engine.records.planner import format_plan

    check_export_config(config)
    wanted = read_wanted(config.places, config, config.date)
    sys.stdout.write(format_plan(_plan(config, wanted), config))
    if not config.dry_run:
        check_beam()
        _export(config)


def _plan(config: Config, wanted: list["Place"]) -> "Plan":
    from data_prep.earth_engine.layers import make_layers
    from data_prep.earth_engine.records.answers import AnswerStore
    from data_prep.earth_engine.records.answers import answer_key
    from data_prep.earth_engine.records.planner import make_plan

    layers = make_layers(config)
    store = AnswerStore(find_answers_folder(config, config))
    kept = {answer_key(place, config.date) for place in wanted}
    for layer in layers:
        kept &= store.keys(layer.name)
    return make_plan(
        wanted,
        layers,
        kept=len(kept),
        records_per_shard=config.records_per_shard,
        requests_in_flight=config.requests_in_flight,
        requests_per_s=config.requests_per_s,
        answer_s=config.assumed_answer_s,
    )


def _export(config: Config) -> None:
    import apache_beam as beam

    from data_prep.earth_engine.asking.login import connect
    from data_prep.earth_engine.expressions.prepared import prepare_layer
    from data_prep.earth_engine.layers import make_layers
    from data_prep.earth_engine.records.beam_run import count_workers
    from data_prep.earth_engine.records.beam_run import is_local
    from data_prep.earth_engine.records.beam_run import make_options
    from data_prep.earth_engine.records.fetch_places import FetchPlaces
    from data_prep.earth_engine.records.fetch_places import FetchSettings
    from data_prep.earth_engine.records.record_output import check_output
    from data_prep.earth_engine.records.record_run import make_record_folder

    check_output(config)
    options = make_options(
        config.beam_args,
        paths=(config.places, config.output, config.work_folder),
    )
    workers = count_workers(options)
    _check_workers(config, workers, is_local(options))
    # Here first: wrong credentials show at once, in one line.
    connect(config)
    settings = FetchSettings(
        client=config,
        layers=tuple(
            (layer, prepare_layer(config, layer))
            for layer in make_layers(config)
        ),
        answers=find_answers_folder(config, config),
        date=config.date,
        workers=workers,
    )
    make_record_folder(
        config,
        config,
        beam.ParDo(FetchPlaces(settings)),
        options,
        program="data_prep.earth_engine.export",
    )


def _check_workers(config: Config, workers: int, local: bool) -> None:
    if workers > config.requests_in_flight:
        raise ConfigError(
            f"{workers} workers cannot share --requests_in_flight="
            f"{config.requests_in_flight}: each asks at least once at a time; "
            "ask for fewer workers, or raise it with the quota"
        )
    if config.ee_key_file and not local:
        raise ConfigError(
            f"--ee_key_file={config.ee_key_file} lies on this machine, which "
            "the workers do not see; give them the account itself, with "
            "--service_account_email after --"
        )


def main() -> None:
    """Entry point of the console script."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()
