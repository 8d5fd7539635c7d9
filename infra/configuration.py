"""The stack's configuration, read before anything is made."""

from __future__ import annotations

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from infra.settings import InvalidConfigurationError, Settings, read_settings


def read_configuration() -> Settings:
    """
    Raises:
        pulumi.RunError: with one sentence for the operator, and no traceback.
    """
    prefix = f"{pulumi.get_project()}:"
    # pulumi.Config answers for the names it is asked for, and so can't tell of one that is misspelled.
    given = get_config_env() | CONFIG.get()
    own = {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}
    try:
        return read_settings(own)
    except InvalidConfigurationError as error:
        raise pulumi.RunError(str(error)) from None
