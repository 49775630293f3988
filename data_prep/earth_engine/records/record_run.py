"""From outcomes to a finished record folder, as the programs here share it."""

import dataclasses
import json
import os
import sys
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from data_prep.band_statistics import compute_statistics
from data_prep.earth_engine.file_text import read_bytes
from data_prep.earth_engine.file_text import write_text
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.places.places import read_places
from data_prep.earth_engine.places.wanted_places import list_wanted
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.answers import AnswerStore
from data_prep.earth_engine.records.answers import answer_key
from data_prep.earth_engine.records.beam_run import is_local
from data_prep.earth_engine.records.beam_run import progress_bar
from data_prep.earth_engine.records.beam_run import run_pipeline
from data_prep.earth_engine.records.fetch_places import read_counters
from data_prep.earth_engine.records.pipeline import DEAD_LETTER_FILE
from data_prep.earth_engine.records.pipeline import SUMMARY_FILE
from data_prep.earth_engine.records.pipeline import MakeRecords
from data_prep.earth_engine.records.pipeline import RecordsPlan
from data_prep.earth_engine.records.record_config import RecordsConfig
from data_prep.earth_engine.records.record_config import find_answers_folder
from data_prep.earth_engine.records.record_output import record_folder
from data_prep.earth_engine.records.record_output import work_alone
from s2distill.data.manifest import STATISTICS_FILE
from s2distill.errors import RecordError
from s2distill.flag_config import read_versions
from s2distill.flag_config import to_flag_lines

# They say where a secret lies, and belong in no record.
_PRIVATE_FLAGS = ("--ee_key_file=",)


def make_record_folder(
    config: RecordsConfig,
    recipe: Recipe,
    find_outcomes: beam.PTransform,
    options: PipelineOptions,
    *,
    program: str,
) -> None:
    """Runs the pipeline and shows what came of it.

    A local folder appears under its name when it is whole. Elsewhere files
    are written in place, and the manifest, without which no reader takes the
    folder, last.

    Args:
      config: Places, output and what to keep.
      recipe: What was asked for.
      find_outcomes: PCollection of Place -> PCollection of (key, Outcome).
      options: Of Beam.
      program: Name for the provenance.

    Raises:
      EarthEngineError: The pipeline failed.
      RecordError: No place became a record.
    """
    store = AnswerStore(find_answers_folder(config, recipe))
    with work_alone(config):
        _write_run_files(config)
        with record_folder(config) as folder:
            plan = RecordsPlan(
                places=config.places,
                recipe=_only(Recipe, recipe),
                answers=store.directory,
                directory=folder,
                workdir=config.work_folder,
                date=config.date,
                records_per_shard=config.records_per_shard,
                provenance={
                    "program": program,
                    "flags": public_flag_lines(config),
                    "versions": read_versions(),
                },
            )
            counters = _run(plan, find_outcomes, options, store)
            summary = _read_summary(plan)
            _check_records(plan, summary)
            if summary["records"].get("train"):
                _write_statistics(folder)
        if not config.keep_answers and not summary["to_ask_again"]:
            store.remove()
    sys.stdout.write(_format_summary(config, summary, counters))


def public_flag_lines(config: Any) -> list[str]:
    """The flags of a run, without those that say where a secret lies."""
    return [
        line
        for line in to_flag_lines(config)
        if not line.startswith(_PRIVATE_FLAGS)
    ]


def _write_run_files(config: RecordsConfig) -> None:
    """What repeats and explains the run, in its work folder."""
    for name, text in (
        ("run.flags", "\n".join(public_flag_lines(config))),
        ("versions.json", json.dumps(read_versions(), indent=2)),
    ):
        write_text(os.path.join(config.work_folder, name), text + "\n")


def _check_records(plan: RecordsPlan, summary: dict[str, Any]) -> None:
    if not any(summary["records"].values()):
        raise RecordError(
            f"no place became a record; by reason: "
            f"{_format_counts(summary['dropped'])}; "
            f"{os.path.join(plan.workdir, DEAD_LETTER_FILE)} says more"
        )


def _write_statistics(folder: str) -> None:
    statistics = compute_statistics(folder)
    write_text(
        os.path.join(folder, STATISTICS_FILE),
        json.dumps(statistics.to_json(), indent=2, sort_keys=True) + "\n",
    )


def _run(
    plan: RecordsPlan,
    find_outcomes: beam.PTransform,
    options: PipelineOptions,
    store: AnswerStore,
) -> dict[str, int]:
    root = MakeRecords(plan, find_outcomes)
    if not is_local(options):
        return read_counters(run_pipeline(root, options))
    wanted, _ = list_wanted(read_places(plan.places).places, plan.recipe)
    last = make_layers(plan.recipe)[-1].name
    keys = {answer_key(place, plan.date) for place in wanted}
    with progress_bar(lambda: len(store.keys(last) & keys), len(keys)):
        return read_counters(run_pipeline(root, options))


def _read_summary(plan: RecordsPlan) -> dict[str, Any]:
    return json.loads(read_bytes(os.path.join(plan.workdir, SUMMARY_FILE)))


def _only(kind: type, config: Any) -> Any:
    """The fields of a base class alone: what travels to the workers."""
    names = [field.name for field in dataclasses.fields(kind)]
    return kind(**{name: getattr(config, name) for name in names})


def _format_counts(counts: dict[str, int]) -> str:
    return (
        ", ".join(f"{number:,} {name}" for name, number in counts.items())
        or "none"
    )


def _format_summary(
    config: RecordsConfig, summary: dict[str, Any], counters: dict[str, int]
) -> str:
    lines = [
        f"records     {_format_counts(summary['records'])} in {config.output}",
        f"dropped     {_format_counts(summary['dropped'])}",
    ]
    if counters:
        lines.append(f"this run    {_format_counters(summary, counters)}")
    if summary["dead_letters"]:
        path = os.path.join(config.work_folder, DEAD_LETTER_FILE)
        lines.append(
            f"dead        {summary['dead_letters']:,} places without a record, "
            f"each with its reason in {path}"
        )
    if summary["to_ask_again"]:
        lines.append(
            f"again       {summary['to_ask_again']:,} of them may have one "
            "yet; all other answers are kept, and a run with --overwrite asks "
            "for these alone"
        )
    return "\n".join(lines) + "\n"


def _format_counters(summary: dict[str, Any], counters: dict[str, int]) -> str:
    """What was asked in this run, the same words each time."""
    if not {"done", "failed"} & set(counters):  # a batch asks for no places
        return _format_counts(counters)
    got = counters.get("answers_new", 0)
    answered = max(1, counters.get("answered", 0))
    return (
        f"{summary['places']:,} planned, {counters.get('done', 0):,} done, "
        f"{counters.get('failed', 0):,} failed; "
        f"{counters.get('requests', 0):,} requests, "
        f"{counters.get('retried', 0):,} of them again; "
        f"{got:,} new answers and {counters.get('answers_kept', 0):,} kept; "
        f"{counters.get('bytes', 0) / 1e6:,.1f} MB; "
        f"{counters.get('asleep_ms', 0) / 1000:,.1f} s asleep; "
        f"{counters.get('answer_ms', 0) / 1000 / answered:.2f} s for an answer"
    )
