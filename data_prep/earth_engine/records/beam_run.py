"""How pipelines are run: on this machine by default, on Dataflow if asked."""

import contextlib
import os
import re
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import tqdm
from apache_beam.options.pipeline_options import DebugOptions
from apache_beam.options.pipeline_options import DirectOptions
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.options.pipeline_options import WorkerOptions

from data_prep.earth_engine.file_text import is_remote
from s2distill.errors import ConfigError
from s2distill.errors import EarthEngineError

# Beam's own default tries Prism first, which it downloads.
LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_NAMED = re.compile(r"^[\w.]*(Error|Exception|KeyboardInterrupt)\b")
_LOCAL_NAMES = {LOCAL_RUNNER, "DirectRunner", "FnApiRunner"}


def make_options(
    beam_args: Sequence[str], *, paths: Sequence[str]
) -> PipelineOptions:
    """Options from what stood after `--`.

    Args:
      beam_args: For example ("--runner=DataflowRunner", "--project=...").
      paths: All that the pipeline reads or writes.

    Raises:
      ConfigError: Workers elsewhere could not reach a path of this disk.
    """
    options = PipelineOptions(list(beam_args))
    standard = options.view_as(StandardOptions)
    if standard.runner in (None, "DirectRunner", "FnApiRunner"):
        standard.runner = LOCAL_RUNNER
    if not is_local(options):
        # One process a machine: only so is the number of machines that of the
        # clients which share the quota of requests.
        options.view_as(DebugOptions).add_experiment(
            "no_use_multiple_sdk_containers"
        )
        near = [path for path in paths if not is_remote(path)]
        if near:
            raise ConfigError(
                f"{near[0]} lies on this machine, which the workers of "
                f"{standard.runner} do not see; give gs:// paths"
            )
    return options


def is_local(options: PipelineOptions) -> bool:
    """True where the workers share this machine's disk."""
    return options.view_as(StandardOptions).runner in _LOCAL_NAMES


def count_workers(options: PipelineOptions) -> int:
    """Processes that will share the quota of requests.

    Raises:
      ConfigError: Machines elsewhere whose number nobody said.
    """
    if is_local(options):
        direct = options.view_as(DirectOptions)
        if direct.direct_running_mode == "multi_processing":
            # Beam takes 0 for one a core.
            return direct.direct_num_workers or os.cpu_count() or 1
        return 1
    workers = options.view_as(WorkerOptions)
    number = workers.max_num_workers or workers.num_workers
    if not number:
        raise ConfigError(
            "--max_num_workers is not among the options after --; say how many "
            "machines there will be at most, because they share the quota of "
            "requests"
        )
    return number


def run_pipeline(root: beam.PTransform, options: PipelineOptions) -> Any:
    """Runs a pipeline to its end.

    Returns:
      Beam's result, with metrics.

    Raises:
      EarthEngineError: The pipeline failed; one line with the cause.
    """
    pipeline = beam.Pipeline(options=options)
    _ = pipeline | "Make records" >> root
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except Exception as error:
        cause = _find_cause(error)
        if cause.startswith("KeyboardInterrupt"):
            raise KeyboardInterrupt from error
        raise EarthEngineError(cause) from error
    return result


@contextlib.contextmanager
def progress_bar(
    count: Callable[[], int], total: int, *, every_s: float = 2.0
) -> Iterator[None]:
    """Shows how many of `total` places `count` gives, while the block runs.

    Beam's runners tell nothing on the way; what is on disk does.
    """
    ended = threading.Event()
    begun = count()

    def watch(bar: tqdm.tqdm) -> None:
        while not ended.wait(every_s):
            bar.update(count() - bar.n)

    with tqdm.tqdm(
        total=total, initial=begun, desc="answers", unit="place"
    ) as bar:
        watcher = threading.Thread(target=watch, args=(bar,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            bar.update(count() - bar.n)


def _find_cause(error: BaseException) -> str:
    """The line of the error that a step raised; Beam wraps it in traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if _NAMED.match(line)]
    text = (named or lines or [type(error).__name__])[-1]
    text = re.sub(r" \[while running '[^']*'\]$", "", text)
    return re.sub(r"^(s2distill|data_prep)\.[\w.]*\.(?=\w+Error)", "", text)
