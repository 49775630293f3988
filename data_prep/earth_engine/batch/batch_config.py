"""The flags of data_prep.earth_engine.batch_export, and what they may be."""

import dataclasses
import math

from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.asking.client_config import check_client_config
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.recipe import check_recipe
from data_prep.earth_engine.records.record_config import check_date
from s2distill.errors import ConfigError
from s2distill.flag_config import flag

STANDARD_URL = "https://earthengine.googleapis.com"
# Earth Engine, usage quotas: tasks of a user that may wait, all projects.
QUEUE_LIMIT = 3000


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchConfig(ClientConfig, Recipe):
    """Flags of data_prep.earth_engine.batch_export."""

    places: str = flag(
        help="Places file of data_prep.earth_engine.sample_places."
    )
    bucket: str = flag(
        help="Bucket of Cloud Storage for the exports, without gs://."
    )
    prefix: str = flag(help="Folder in the bucket, such as s2distill/area1.")
    workdir: str = flag(
        help="Folder of the ledger, local or gs://; the run goes on from it "
        "after a stop."
    )
    date: str = flag(
        "", help="YYYY-MM-DD of places that have no date of their own."
    )
    ee_url: str = flag(
        STANDARD_URL, help="Address of the service; the standard one."
    )
    cell_tiles: int = flag(
        16,
        help="Side of a cell in places. A cell is exported as a whole, and "
        "its frames are chosen once, for all of it.",
    )
    kernel_px: int = flag(
        0,
        help="Pixels of 10 m by which each patch is grown, half at each side; "
        "for others who read the files, records are without.",
    )
    tensor: bool = flag(
        False, help="Export the stack of frames as one array band."
    )
    max_file_mib: int = flag(
        256, help="Largest file, MiB before compression; at most 1024."
    )
    max_waiting: int = flag(
        2000,
        help="Submit nothing while so many tasks of the project wait or run; "
        f"Earth Engine takes {QUEUE_LIMIT} of a user.",
    )
    max_task_tries: int = flag(
        3, help="Attempts of a task that fails before it is given up."
    )
    poll_s: float = flag(60.0, help="Seconds between two looks at the tasks.")
    wait: bool = flag(
        True, help="Follow the tasks to their end; --nowait submits and stops."
    )
    cancel: bool = flag(
        False, help="Cancel the tasks of --workdir that wait or run, and stop."
    )
    dry_run: bool = flag(
        False, help="Print tasks, patches, pixels, bytes and files, and stop."
    )


def check_batch_config(config: BatchConfig) -> None:
    """Raises ConfigError at flags that make no sense."""
    check_recipe(config)
    check_date(config.date)
    if not config.dry_run:
        check_client_config(config)
    if not 1 <= config.max_waiting <= QUEUE_LIMIT:
        raise ConfigError(
            f"--max_waiting={config.max_waiting} must be from 1 to "
            f"{QUEUE_LIMIT}, the limit of Earth Engine"
        )
    for name in ("max_task_tries", "poll_s"):
        if not 0 < getattr(config, name) < math.inf:  # NaN is neither
            raise ConfigError(
                f"--{name}={getattr(config, name)} must be above 0 and finite"
            )
