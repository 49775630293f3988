"""From outcomes to a finished record folder, as the programs here share it."""

import dataclasses
import json
import os
import pathlib
import shutil
import sys
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from data_prep.band_statistics import compute_statistics
from data_prep.earth_engine.file_text import is_remote
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
from s2distill.atomic_write import check_absent
from s2distill.data.manifest import MANIFEST_FILE
from s2distill.data.manifest import STATISTICS_FILE
from s2distill.data.record_folder import shard_pattern
from s2distill.errors import OutputError
from s2distill.errors import RecordError
from s2distill.flag_config import to_flag_lines

# They say where a secret lies, and belong in no record.
_PRIVATE_FLAGS = ("--ee_key_file=",)


def check_output(config: RecordsConfig) -> None:
    """OutputError if records are there already and may not be replaced."""
    if config.overwrite:
        return
    if not is_remote(config.output):
        check_absent(config.output)
        return
    import tensorflow as tf

    path = os.path.join(config.output, MANIFEST_FILE)
    if tf.io.gfile.exists(path):
        raise OutputError(
            f"{path} exists already; choose another --output, or pass "
            "--overwrite"
        )


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
    folder = _staging_folder(config)
    plan = RecordsPlan(
        places=config.places,
        recipe=_only(Recipe, recipe),
        answers=store.directory,
        directory=folder,
        workdir=config.work_folder,
        date=config.date,
        records_per_shard=config.records_per_shard,
        provenance={"program": program, "flags": public_flag_lines(config)},
    )
    _clear_folder(folder)
    counters = _run(plan, find_outcomes, options, store)
    summary = _read_summary(plan)
    if not any(summary["records"].values()):
        raise RecordError(
            f"no place became a record; by reason: "
            f"{_format_counts(summary['dropped'])}; "
            f"{os.path.join(plan.workdir, DEAD_LETTER_FILE)} says more"
        )
    if summary["records"].get("train"):
        statistics = compute_statistics(folder)
        write_text(
            os.path.join(folder, STATISTICS_FILE),
            json.dumps(statistics.to_json(), indent=2, sort_keys=True) + "\n",
        )
    if folder != config.output:
        if config.overwrite:
            shutil.rmtree(config.output, ignore_errors=True)
        pathlib.Path(config.output).parent.mkdir(parents=True, exist_ok=True)
        os.rename(folder, config.output)
    if not config.keep_answers and not summary["dead_letters"]:
        store.remove()
    sys.stdout.write(_format_summary(config, summary, counters))


def public_flag_lines(config: Any) -> list[str]:
    """The flags of a run, without those that say where a secret lies."""
    return [
        line
        for line in to_flag_lines(config)
        if not line.startswith(_PRIVATE_FLAGS)
    ]


def _staging_folder(config: RecordsConfig) -> str:
    if is_remote(config.output):
        return config.output
    return os.path.join(config.work_folder, "records")


def _clear_folder(folder: str) -> None:
    """Files of a run with other numbers of files must not stay among ours."""
    if not is_remote(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    import tensorflow as tf

    # In a bucket may lie what is not ours. The manifest goes first: without
    # it no reader takes the folder for whole.
    for pattern in (MANIFEST_FILE, STATISTICS_FILE, shard_pattern()):
        for path in tf.io.gfile.glob(os.path.join(folder, pattern)):
            tf.io.gfile.remove(path)


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
        lines.append(f"this run    {_format_counts(counters)}")
    if summary["dead_letters"]:
        path = os.path.join(config.work_folder, DEAD_LETTER_FILE)
        lines.append(
            f"dead        {summary['dead_letters']:,} places in {path}; the "
            "answers of the others are kept, so a run with --overwrite asks "
            "for these alone"
        )
    return "\n".join(lines) + "\n"
