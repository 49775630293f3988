"""The flags of every program here that writes records."""

import dataclasses
import datetime
import importlib.util
import os

from data_prep.earth_engine.layers import digest_recipe
from data_prep.earth_engine.recipe import Recipe
from s2distill.errors import ConfigError
from s2distill.flag_config import flag
from s2distill.flag_config import rest_arguments


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordsConfig:
    """Flags of every program here that writes records."""

    places: str = flag(
        help="Places file of data_prep.earth_engine.sample_places."
    )
    output: str = flag(help="Record folder to write, local or gs://.")
    workdir: str = flag(
        "",
        help="Folder of answers, dead letters and summary, local or gs://; "
        "the run goes on from it after a stop. Default: OUTPUT.work.",
    )
    date: str = flag(
        "", help="YYYY-MM-DD of places that have no date of their own."
    )
    records_per_shard: int = flag(64, help="At most so many in a file.")
    keep_answers: bool = flag(
        False,
        help="Keep the answers when the records are written, to make other "
        "records of them.",
    )
    overwrite: bool = flag(False, help="Replace a record folder that exists.")
    beam_args: tuple[str, ...] = rest_arguments(
        help="Options of Apache Beam: by default its local runner in one "
        "process; -- --direct_num_workers=2 --direct_running_mode="
        "multi_processing for two; -- --runner=DataflowRunner "
        "--project=... --region=... --temp_location=gs://... "
        "--setup_file=./setup.py for Dataflow."
    )

    @property
    def work_folder(self) -> str:
        """Where answers, dead letters and summary lie."""
        return self.workdir or f"{self.output.rstrip('/')}.work"


def find_answers_folder(config: RecordsConfig, recipe: Recipe) -> str:
    """Where the answers of this run, and of those before it, lie.

    Each recipe has its own: a run whose flags were changed asks anew, and
    never makes records of what another asked for.
    """
    name = f"answers-{digest_recipe(recipe)}"
    return os.path.join(config.work_folder, name)


def check_records_config(config: RecordsConfig) -> None:
    """Raises ConfigError at flags that make no sense."""
    if config.records_per_shard < 1:
        raise ConfigError(
            f"--records_per_shard={config.records_per_shard} must be at least 1"
        )
    check_date(config.date)


def check_date(date: str) -> None:
    """Raises ConfigError if `--date` is neither empty nor a date."""
    if date and not _is_date(date):
        raise ConfigError(
            f"--date={date} is no date YYYY-MM-DD, such as 2020-07-01"
        )


def _is_date(text: str) -> bool:
    try:
        # Python takes 20200701 and 2020-W27-3 too; elsewhere they are none.
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def check_beam() -> None:
    """Raises ConfigError where Apache Beam is not installed."""
    if importlib.util.find_spec("apache_beam") is None:
        raise ConfigError(
            "Apache Beam, on which records are made, is not installed; "
            "`pip install -e '.[beam]'` installs it"
        )
