import dataclasses

import pytest

from data_prep.earth_engine.asking.client_config import HIGH_VOLUME_URL
from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.asking.client_config import check_client_config
from s2distill.errors import ConfigError
from s2distill.flag_config import parse_config

GOOD = ClientConfig(ee_project="my-project")


def test_a_project_is_all_that_is_needed():
    check_client_config(GOOD)
    assert GOOD.ee_url == HIGH_VOLUME_URL
    assert "highvolume" in HIGH_VOLUME_URL
    # Earth Engine's default quota.
    assert (GOOD.requests_in_flight, GOOD.requests_per_s) == (40, 100.0)


def test_without_a_project_the_message_says_where_one_is_found():
    with pytest.raises(ConfigError, match="--ee_project is empty.*gcloud"):
        check_client_config(ClientConfig())


@pytest.mark.parametrize(
    ("kind", "key_file"),
    [
        ("service_account", ""),
        ("application_default", "key.json"),
        ("anonymous", "key.json"),
    ],
)
def test_a_key_file_and_a_service_account_belong_together(kind, key_file):
    config = dataclasses.replace(
        GOOD, ee_credentials=kind, ee_key_file=key_file
    )
    with pytest.raises(ConfigError, match=f"{kind} and .*'{key_file}'.*togeth"):
        check_client_config(config)


def test_a_service_account_with_its_key_and_nobody_are_accepted():
    check_client_config(
        dataclasses.replace(
            GOOD, ee_credentials="service_account", ee_key_file="key.json"
        )
    )
    check_client_config(dataclasses.replace(GOOD, ee_credentials="anonymous"))


@pytest.mark.parametrize("value", [0, -1, float("nan")])
@pytest.mark.parametrize(
    "name",
    ["requests_in_flight", "requests_per_s", "request_timeout_s", "max_tries"],
)
def test_numbers_are_above_0(name, value):
    config = dataclasses.replace(GOOD, **{name: value})
    with pytest.raises(ConfigError, match=f"--{name}={value} must be above 0"):
        check_client_config(config)


def test_other_kinds_of_credentials_are_no_flag_value():
    with pytest.raises(ConfigError, match="ee_credentials"):
        parse_config(ClientConfig, ["program", "--ee_credentials=persistent"])
