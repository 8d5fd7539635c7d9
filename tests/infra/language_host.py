"""The process of a program: what the CLI's language host for Python does, from its configuration to its end."""

from __future__ import annotations

import asyncio
import logging
import runpy
import sys
import traceback

import pulumi
import pulumi.runtime
from pulumi.runtime.stack import run_in_stack


def refuse_to_judge_outputs() -> None:
    """Pulumi lets a program ask whether an output is true, or equal to a value, and the answer means nothing."""

    def find_truth(_: pulumi.Output[object]) -> bool:
        return _refuse(True)  # noqa: FBT003 what any object is

    def compare(one: pulumi.Output[object], other: object) -> bool:
        return _refuse(one is other)

    for name, method in (("__bool__", find_truth), ("__eq__", compare), ("__hash__", object.__hash__)):
        setattr(pulumi.Output, name, method)


def _refuse(answer: bool) -> bool:  # noqa: FBT001 an answer
    asker = sys._getframe(2).f_code.co_filename  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] nothing public tells
    if "site-packages" in asker or asker.startswith(sys.base_prefix):
        return answer
    raise TypeError("The program judges an output by its value, which is not there yet.")


def run_folder() -> None:
    """Its __main__.py is the program, and imports are looked for in it."""
    runpy.run_path(".", run_name="__main__")


def main() -> int:
    address, project, stack, preview = sys.argv[1:]
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=project,
            stack=stack,
            monitor=address,
            engine=address,
            parallel=16,
            dry_run=preview == "preview",
            organization="organization",
        )
    )
    refuse_to_judge_outputs()
    sys.argv = ["."]
    # What is left unfinished where a program fails is not its operator's concern.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(run_in_stack(run_folder))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except Exception:  # noqa: BLE001 whatever a program raises is shown to its operator
        pulumi.log.error(f"Program failed with an unhandled exception:\n{traceback.format_exc()}")
        return 1
    finally:
        loop.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
