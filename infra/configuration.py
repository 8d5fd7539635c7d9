"""Reads the stack's configuration from Pulumi."""

from __future__ import annotations

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from infra.settings import (
    InvalidConfigurationError,
    ProviderSettings,
    Settings,
    read_provider_settings,
    read_settings,
)


def read_configuration() -> tuple[Settings, ProviderSettings]:
    """The program's own settings, and those of Pulumi's AWS provider, which an explicit provider does not read itself.

    Raises:
        pulumi.RunError: a value is invalid. Pulumi prints the message without a traceback.
    """
    try:
        return read_settings(_find(f"{pulumi.get_project()}:")), read_provider_settings(_find("aws:"))
    except InvalidConfigurationError as error:
        raise pulumi.RunError(str(error)) from None


def _find(prefix: str) -> dict[str, str]:
    # pulumi.Config only returns values by name, so it can't show that a name is misspelled.
    given = get_config_env() | CONFIG.get()
    return {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}
