"""How Earth Engine is reached: the flags that every program here shares."""

import dataclasses
from typing import Literal

from s2distill.errors import ConfigError
from s2distill.flag_config import flag

HIGH_VOLUME_URL = "https://earthengine-highvolume.googleapis.com"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClientConfig:
    """How Earth Engine is reached; holds no secret, only where one lies."""

    ee_project: str = flag(
        "", help="Google Cloud project that Earth Engine is asked in."
    )
    ee_credentials: Literal[
        "application_default", "service_account", "anonymous"
    ] = flag(
        "application_default",
        help="application_default: as `gcloud auth application-default "
        "login` or the machine gives them. service_account: from "
        "--ee_key_file. anonymous: none, for a server of your own.",
    )
    ee_key_file: str = flag(
        "", help="JSON key of a service account; never copied or printed."
    )
    ee_url: str = flag(
        HIGH_VOLUME_URL, help="Address of the service; the high-volume one."
    )
    requests_in_flight: int = flag(
        40,
        help="Requests at one time, over all workers; 40 is the default "
        "quota of a project.",
    )
    requests_per_s: float = flag(
        100.0,
        help="Most requests begun in a second, over all workers; 100 is the "
        "default quota of a project.",
    )
    request_timeout_s: float = flag(
        300.0, help="A request without an answer for so long is asked again."
    )
    max_tries: int = flag(
        8, help="Tries of a request before its place is given up."
    )


def check_client_config(config: ClientConfig) -> None:
    """Raises ConfigError at flags that make no sense."""
    if not config.ee_project:
        raise ConfigError(
            "--ee_project is empty; name the Google Cloud project that is "
            "registered for Earth Engine (`gcloud config get project` prints "
            "the present one)"
        )
    if (config.ee_credentials == "service_account") != bool(config.ee_key_file):
        raise ConfigError(
            f"--ee_credentials={config.ee_credentials} and --ee_key_file="
            f"{config.ee_key_file!r}: a key file and service_account belong "
            "together"
        )
    check_quota(config)


def check_quota(config: ClientConfig) -> None:
    """ConfigError at numbers that no request could keep to."""
    for name in (
        "requests_in_flight",
        "requests_per_s",
        "request_timeout_s",
        "max_tries",
    ):
        if not getattr(config, name) > 0:  # nor NaN
            raise ConfigError(
                f"--{name}={getattr(config, name)} must be above 0"
            )
