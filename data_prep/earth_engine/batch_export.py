r"""Exports whole regions with Earth Engine's batch tasks, to Cloud Storage.

python -m data_prep.earth_engine.batch_export --places=places.geojson \
    --image=USDA/NAIP/DOQQ --roads=TIGER/2016/Roads --date=2021-06-01 \
    --bucket=my-bucket --prefix=s2distill/area1 --workdir=runs/area1 \
    --ee_project=my-project

Where places lie close together this is cheaper than asking for each: a task
exports one layer of a cell of 16 x 16 places as TFRecord patches. Frames are
chosen once for a cell. Tasks are submitted under a limit, followed to their
end, and repeated if they fail; WORKDIR remembers each, so a run that was
stopped goes on, and nothing is exported twice. `--dry_run` prints what would
be exported. Then data_prep.earth_engine.records_from_batch makes records.
"""

import collections
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from data_prep.earth_engine.asking.counters import Counters
from data_prep.earth_engine.batch.batch_config import BatchConfig as Config
from data_prep.earth_engine.batch.batch_config import check_batch_config
from data_prep.earth_engine.recipe import Recipe
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    from data_prep.earth_engine.batch.batch_ledger import Ledger
    from data_prep.earth_engine.batch.batch_run import BatchRun
    from data_prep.earth_engine.batch.batch_settings import BatchSettings
    from data_prep.earth_engine.batch.cells import Cell
    from data_prep.earth_engine.places.place import Place


def run(config: Config) -> None:
    """Exports the cells of the places, or prints what it would export."""
    from data_prep.earth_engine.batch.batch_plan import format_batch_plan
    from data_prep.earth_engine.batch.batch_plan import make_batch_plan
    from data_prep.earth_engine.batch.batch_settings import write_settings
    from data_prep.earth_engine.batch.cells import make_cells
    from data_prep.earth_engine.layers import make_layers
    from data_prep.earth_engine.places.wanted_places import read_wanted

    check_batch_config(config)
    if config.cancel and not config.dry_run:
        _cancel(config)
        return
    wanted = read_wanted(config.places, config, config.date)
    settings = _make_settings(config, wanted)
    cells = make_cells(wanted, config.cell_tiles)
    plan = make_batch_plan(cells, make_layers(config), settings)
    sys.stdout.write(format_batch_plan(plan, settings))
    if config.dry_run:
        return
    settings = write_settings(config.workdir, settings)
    _copy_places(config)
    counters = Counters()
    ledger = _open_ledger(config)
    batch = _make_run(config, settings, cells, ledger, counters)
    try:
        batch.run(wait=config.wait)
    finally:
        _report(batch, counters)
        _list_given_up(config, batch, cells)


def _cancel(config: Config) -> None:
    """Cancels all tasks of the ledger, whatever the other flags say."""
    from data_prep.earth_engine.batch.batch_settings import read_settings

    settings = read_settings(config.workdir)
    ledger, counters = _open_ledger(config), Counters()
    batch = _make_run(config, settings, (), ledger, counters)
    try:
        batch.cancel()
    finally:
        _report(batch, counters)


def _make_settings(
    config: Config, places: "Sequence[Place]"
) -> "BatchSettings":
    from data_prep.earth_engine.batch.batch_settings import BatchSettings
    from data_prep.earth_engine.batch.batch_settings import describe_places

    names = [field.name for field in dataclasses.fields(Recipe)]
    return BatchSettings(
        recipe=Recipe(**{name: getattr(config, name) for name in names}),
        date=config.date,
        bucket=config.bucket,
        prefix=config.prefix,
        cell_tiles=config.cell_tiles,
        kernel_px=config.kernel_px,
        tensor=config.tensor,
        max_file_mib=config.max_file_mib,
        places=describe_places(places),
    )


def _copy_places(config: Config) -> None:
    """Records are made of the places that were exported for, as at first."""
    from data_prep.earth_engine.batch.batch_settings import PLACES_FILE
    from data_prep.earth_engine.file_text import exists
    from data_prep.earth_engine.file_text import read_bytes
    from data_prep.earth_engine.file_text import write_text

    path = os.path.join(config.workdir, PLACES_FILE)
    if not exists(path):
        write_text(path, read_bytes(config.places).decode())


def _open_ledger(config: Config) -> "Ledger":
    from data_prep.earth_engine.batch.batch_ledger import Ledger
    from data_prep.earth_engine.batch.batch_settings import LEDGER_FILE

    return Ledger(os.path.join(config.workdir, LEDGER_FILE))


def _make_run(
    config: Config,
    settings: "BatchSettings",
    cells: "Sequence[Cell]",
    ledger: "Ledger",
    counters: Counters,
) -> "BatchRun":
    """The run over the tasks of cells; of the whole ledger without any."""
    from data_prep.earth_engine.asking.client import Client
    from data_prep.earth_engine.batch.batch_ledger import TaskEntry
    from data_prep.earth_engine.batch.batch_run import BatchRun
    from data_prep.earth_engine.batch.batch_run import RunLimits
    from data_prep.earth_engine.batch.batch_settings import task_name
    from data_prep.earth_engine.batch.batch_tasks import make_request
    from data_prep.earth_engine.batch.batch_tasks import make_request_id
    from data_prep.earth_engine.layers import make_layers

    # Both layers of a cell one after the other: it is of use when both end.
    tasks = {
        task_name(cell, layer): (cell, layer)
        for cell in cells
        for layer in make_layers(config)
    }

    def request(entry: TaskEntry) -> dict[str, Any]:
        return make_request(settings, *tasks[entry.task], entry.attempt)

    return BatchRun(
        Client(config, counters=counters),
        ledger,
        list(tasks) or [entry.task for entry in ledger.entries()],
        make_request_id=functools.partial(make_request_id, settings),
        make_request=request,
        limits=RunLimits(
            max_waiting=config.max_waiting,
            max_task_tries=config.max_task_tries,
            poll_s=config.poll_s,
        ),
    )


def _report(batch: "BatchRun", counters: Counters) -> None:
    """Says what became of the tasks."""
    entries = batch.entries()
    states = collections.Counter(entry.state.lower() for entry in entries)
    eecu_s = sum(entry.eecu_s for entry in entries)
    numbers = {name: round(n) for name, n in counters.read().items()}
    sys.stdout.write(
        f"tasks       {_format_counts(states)}; {eecu_s / 3600:,.2f} "
        f"EECU-hours\nthis run    {_format_counts(numbers)}\n"
    )


def _list_given_up(
    config: Config, batch: "BatchRun", cells: "Sequence[Cell]"
) -> None:
    """Writes the tasks that are given up, with their places."""
    from data_prep.earth_engine.batch.batch_settings import FAILED_TASKS_FILE
    from data_prep.earth_engine.file_text import write_text

    keys = {cell.key: [place.key for _, place in cell.places] for cell in cells}
    given_up = [
        {
            "task": entry.task,
            "tries": entry.fails,
            "operation": entry.operation,
            "message": entry.message,
            "places": keys[entry.task.rpartition("/")[0]],
        }
        for entry in batch.given_up()
    ]
    path = os.path.join(config.workdir, FAILED_TASKS_FILE)
    lines = [json.dumps(entry, sort_keys=True) + "\n" for entry in given_up]
    write_text(path, "".join(lines))
    if given_up:
        sys.stdout.write(
            f"given up    {len(given_up):,} tasks, with what Earth Engine "
            f"said: {path}; a higher --max_task_tries tries them again\n"
        )


def _format_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in sorted(counts.items()))


def main() -> None:
    """Entry point of the console script."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()
