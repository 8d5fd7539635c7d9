"""What the calls look like, for the service's description."""

from __future__ import annotations

from litestar.openapi import ResponseSpec

from services.auth.problems import ERRORS
from services.auth.users import UnknownUserError
from services.web.examples import ACCESS_TOKEN, FOREIGN_ORIGIN, NOT_LOGGED_IN, USERNAME
from services.web.openapi import add_examples
from services.web.problems import OF_A_BODY, describe_problems
from services.web.rate_limits import TooManyRequestsError

LOGIN = add_examples(
    {"a session": {"access_token": ACCESS_TOKEN, "expires_in": 3600, "token_type": "Bearer"}},
    bodies={"a user of the demo": {"username": USERNAME}},
    headers={
        "Set-Cookie": (
            "The session, for browsers.",
            f"__Host-session={ACCESS_TOKEN}; HttpOnly; Max-Age=3600; Path=/; SameSite=lax; Secure",
        )
    },
)
LOGIN_PROBLEMS = describe_problems(
    ERRORS,
    *OF_A_BODY,
    FOREIGN_ORIGIN,
    UnknownUserError("There is no user of that name."),
    TooManyRequestsError(12),
)

LOGOUT = add_examples(
    headers={
        "Set-Cookie": (
            "Clears the session.",
            '__Host-session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure',
        )
    }
)
LOGOUT_PROBLEMS = describe_problems(ERRORS, FOREIGN_ORIGIN) | {
    204: ResponseSpec(None, description="The cookie is cleared.")
}

ME = add_examples({"who calls": {"username": USERNAME}})
ME_PROBLEMS = describe_problems(ERRORS, *NOT_LOGGED_IN)

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
    headers={"Cache-Control": ("How long it may be kept.", "public, max-age=60")},
)
KEY_SET_PROBLEMS = describe_problems(ERRORS)
