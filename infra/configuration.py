"""Reads the stack's configuration from Pulumi."""

from __future__ import annotations

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from infra.settings import InvalidConfigurationError, Settings, read_settings


def read_configuration() -> Settings:
    """
    Raises:
        pulumi.RunError: a value is invalid. Pulumi prints the message without a traceback.
    """
    prefix = f"{pulumi.get_project()}:"
    # pulumi.Config only returns values by name, so it can't show that a name is misspelled.
    given = get_config_env() | CONFIG.get()
    values = {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}
    try:
        return read_settings(values)
    except InvalidConfigurationError as error:
        raise pulumi.RunError(str(error)) from None
