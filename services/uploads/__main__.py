from __future__ import annotations

import gc
import os

gc.disable()  # The imports make little garbage, and to look for it takes a tenth of the start. `serve` enables it.

from services.store.clients import CLIENT_CONFIG, S3_CONFIG, create_session
from services.store.responses import check_responses
from services.uploads.app import create_app
from services.uploads.settings import Settings
from services.web.server import serve


def main() -> None:
    session = create_session()
    serve(
        "uploads",
        Settings,
        os.environ,
        lambda settings: create_app(
            settings,
            s3=check_responses(session.client("s3", config=S3_CONFIG)),
            dynamodb=check_responses(session.client("dynamodb", config=CLIENT_CONFIG)),
            credentials=session.get_credentials,
        ),
    )


if __name__ == "__main__":
    main()
