"""The only module that logs in to Earth Engine."""

import os

import ee
import google.auth
import google.auth.credentials
import google.auth.environment_vars
import google.auth.exceptions
import googleapiclient.errors
from google.oauth2 import service_account

from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.asking.client_config import check_client_config
from data_prep.earth_engine.asking.faults import read_fault
from data_prep.earth_engine.asking.transport import PooledTransport
from s2distill.errors import EarthEngineError

_SCOPES = (
    "https://www.googleapis.com/auth/earthengine",
    "https://www.googleapis.com/auth/cloud-platform",
)
# What a file that holds no key makes google.auth raise.
_BROKEN_KEY = (
    google.auth.exceptions.GoogleAuthError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
)
_LOGIN_RETRIES = 3  # by the client itself, which waits up to 14 s in all


def connect(config: ClientConfig, *, connections: int = 10) -> None:
    """Logs in, once for a process.

    Raises:
      ConfigError: Flags that make no sense.
      EarthEngineError: It cannot be reached, or does not let us in.
    """
    check_client_config(config)
    credentials = _find_credentials(config)
    ee.data.setMaxRetries(_LOGIN_RETRIES)
    try:
        ee.Initialize(
            credentials,
            url=config.ee_url,
            project=config.ee_project,
            http_transport=PooledTransport(
                connections=connections, timeout_s=config.request_timeout_s
            ),
        )
    except (
        ee.EEException,
        google.auth.exceptions.GoogleAuthError,
        googleapiclient.errors.Error,
        OSError,
    ) as error:
        raise EarthEngineError(
            f"Earth Engine at {config.ee_url} does not let project "
            f"{config.ee_project} in: {read_fault(error).reason}; check the "
            "project, that it is registered for Earth Engine, and what "
            f"--ee_credentials={config.ee_credentials} may do there"
        ) from error
    # Each try of ours is one request.
    ee.data.setMaxRetries(0)


def _find_credentials(
    config: ClientConfig,
) -> google.auth.credentials.Credentials:
    if config.ee_credentials == "anonymous":
        return google.auth.credentials.AnonymousCredentials()
    try:
        if config.ee_credentials == "service_account":
            return service_account.Credentials.from_service_account_file(
                config.ee_key_file, scopes=_SCOPES
            )
        credentials, _ = google.auth.default(scopes=_SCOPES)
    except _BROKEN_KEY as error:
        # Never the content, nor an error that holds it.
        raise EarthEngineError(
            _explain_credentials(config, type(error).__name__)
        ) from None
    return credentials


def _explain_credentials(config: ClientConfig, kind: str) -> str:
    """Why there are none, and the way out."""
    if config.ee_credentials == "service_account":
        return (
            f"--ee_key_file={config.ee_key_file} is no readable key of a "
            f"service account ({kind}); make one with `gcloud iam "
            "service-accounts keys create`"
        )
    path = os.environ.get(google.auth.environment_vars.CREDENTIALS)
    if path:
        return (
            f"{google.auth.environment_vars.CREDENTIALS}={path} names no "
            f"readable credentials ({kind}); unset it, or name another file"
        )
    return (
        "no application default credentials: run `gcloud auth "
        f"application-default login --scopes={','.join(_SCOPES)}`, or give "
        "--ee_credentials=service_account and --ee_key_file"
    )
