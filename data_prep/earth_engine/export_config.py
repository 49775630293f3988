"""The flags of data_prep.earth_engine.export, and what they may not be."""

import dataclasses

from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.asking.client_config import check_client_config
from data_prep.earth_engine.asking.client_config import check_quota
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.recipe import check_recipe
from data_prep.earth_engine.records.record_config import RecordsConfig
from data_prep.earth_engine.records.record_config import check_records_config
from s2distill.errors import ConfigError
from s2distill.flag_config import flag


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig(RecordsConfig, ClientConfig, Recipe):
    """Flags of data_prep.earth_engine.export."""

    assumed_answer_s: float = flag(
        2.0,
        help="Seconds an answer is thought to take, for the plan; a run "
        "prints what it took.",
    )
    dry_run: bool = flag(False, help="Print the plan and stop.")


def check_export_config(config: ExportConfig) -> None:
    """Raises ConfigError at flags that make no sense."""
    check_recipe(config)
    if config.dry_run:
        check_quota(config)
    else:
        check_client_config(config)
    check_records_config(config)
    if not config.assumed_answer_s > 0:  # nor NaN
        raise ConfigError(
            f"--assumed_answer_s={config.assumed_answer_s} must be above 0"
        )
