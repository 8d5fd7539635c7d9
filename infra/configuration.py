"""Reads the stack's configuration from Pulumi."""

from __future__ import annotations

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from infra.documents.names import StackNames
from infra.live_stack import LiveStack, check_changes, read_live_stack
from infra.settings import (
    InvalidConfigurationError,
    ProviderSettings,
    Settings,
    read_provider_settings,
    read_settings,
)


def read_configuration() -> tuple[Settings, ProviderSettings, LiveStack | None]:
    """The program's own settings, those of Pulumi's AWS provider, and what the stack has already.

    An explicit provider does not read its settings itself.

    Raises:
        pulumi.RunError: a value is invalid, or can't be changed any more, or the stack's name is too long. Pulumi
            prints the message without a traceback.
    """
    try:
        StackNames(pulumi.get_stack()).check()
    except ValueError as error:
        raise pulumi.RunError(f"{error}.") from None
    try:
        settings = read_settings(_find(f"{pulumi.get_project()}:"))
        provider_settings = read_provider_settings(_find("aws:"))
        live = read_live_stack()
        if live:
            check_changes(live, settings)
    except InvalidConfigurationError as error:
        raise pulumi.RunError(str(error)) from None
    return settings, provider_settings, live


def _find(prefix: str) -> dict[str, str]:
    # pulumi.Config only returns values by name, so it can't show that a name is misspelled.
    given = get_config_env() | CONFIG.get()
    return {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}
