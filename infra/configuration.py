"""Reads the stack's configuration from Pulumi."""

from __future__ import annotations

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from infra.live_stack import LiveStack, check_changes, read_live_stack
from infra.settings import InvalidConfigurationError, Settings, read_settings


def read_configuration() -> tuple[Settings, LiveStack | None]:
    """The settings, and what the stack has already.

    Raises:
        pulumi.RunError: a value is invalid, or can't be changed any more. Pulumi prints the message without a
            traceback.
    """
    prefix = f"{pulumi.get_project()}:"
    # pulumi.Config only returns values by name, so it can't show that a name is misspelled.
    given = get_config_env() | CONFIG.get()
    values = {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}
    try:
        settings = read_settings(values)
        live = read_live_stack()
        if live:
            check_changes(live, settings)
    except InvalidConfigurationError as error:
        raise pulumi.RunError(str(error)) from None
    return settings, live
