"""Examples of requests and responses, for the OpenAPI document."""

from __future__ import annotations

from litestar.openapi import ResponseSpec

from services.auth.problems import ERRORS
from services.store.table import UnknownUserError
from services.web.examples import ACCESS_TOKEN, FOREIGN_ORIGIN, NAMED_USER, NOT_LOGGED_IN, OTHER_USER, USERNAME
from services.web.openapi import add_examples
from services.web.problems import BODY_ERRORS, describe_problems
from services.web.rate_limits import TooManyRequestsError

LOGIN = add_examples(
    {"logged in": {"access_token": ACCESS_TOKEN, "expires_in": 3600, "token_type": "Bearer"}},
    bodies={"a demo user": {"username": USERNAME}},
    headers={
        "Set-Cookie": (
            "The session cookie, for browsers.",
            f"__Host-session={ACCESS_TOKEN}; HttpOnly; Max-Age=3600; Path=/; SameSite=lax; Secure",
        )
    },
)
LOGIN_PROBLEMS = describe_problems(
    ERRORS,
    *BODY_ERRORS,
    FOREIGN_ORIGIN,
    UnknownUserError(),
    TooManyRequestsError(12),
)

LOGOUT = add_examples(
    headers={
        "Set-Cookie": (
            "Deletes the session cookie.",
            '__Host-session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure',
        )
    },
    parameters=[NAMED_USER],
)
LOGOUT_PROBLEMS = describe_problems(ERRORS, FOREIGN_ORIGIN, OTHER_USER) | {
    204: ResponseSpec(None, description="The session cookie is deleted.")
}

ME = add_examples({"current user": {"username": USERNAME}}, parameters=[NAMED_USER])
ME_PROBLEMS = describe_problems(ERRORS, *NOT_LOGGED_IN, OTHER_USER)

KEY_SET = add_examples(
    {
        "one key": {
            "keys": [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "x": "Ej6izJ_x1et5H72PIA4JANOcI4xtxs9gc4_4b-9DxE8",
                    "y": "Wsjt29_15g81dX4rMrN15OWYzdqJAjHBetmNWP8L_KY",
                    "kid": "7mHJ64TWotAjWRdy3c794ir0iACF_-3f6n0e63mZdkc",
                    "use": "sig",
                    "alg": "ES256",
                }
            ]
        }
    },
    headers={"Cache-Control": ("How long the key set may be cached.", "public, max-age=60")},
)
KEY_SET_PROBLEMS = describe_problems(ERRORS)
