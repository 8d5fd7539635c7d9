from __future__ import annotations

import gc
import os

gc.disable()  # The imports make little garbage, and to look for it takes a tenth of the start. `serve` enables it.

from services.auth.app import create_app
from services.auth.settings import Settings
from services.store.clients import CLIENT_CONFIG, create_session
from services.store.responses import check_responses
from services.web.server import serve


def main() -> None:
    session = create_session()
    serve(
        "auth",
        Settings,
        os.environ,
        lambda settings: create_app(
            settings,
            dynamodb=check_responses(session.client("dynamodb", config=CLIENT_CONFIG)),
            kms=check_responses(session.client("kms", config=CLIENT_CONFIG)),
        ),
    )


if __name__ == "__main__":
    main()
