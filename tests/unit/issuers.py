"""Access tokens in the shapes that issuers document, with invented values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ISSUED, EXPIRES = 1_764_000_000, 4_000_000_000  # 2025 and 2096


@dataclass(frozen=True)
class Shape:
    """A token of an issuer, the settings of a service that accepts it, and the username."""

    issuer: str
    audience: str
    claims: dict[str, Any]
    username: str
    username_claim: str = "sub"
    algorithm: str = "RS256"
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    key: dict[str, Any] = field(default_factory=dict[str, Any])
    """The members of the key besides those of the key itself."""

    @property
    def all_claims(self) -> dict[str, Any]:
        return {"iss": self.issuer, "iat": ISSUED, "exp": EXPIRES, **self.claims}


SIGNING = {"use": "sig", "alg": "RS256"}

SHAPES = {
    # https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
    "Auth0": Shape(
        "https://example.eu.auth0.com/",
        "https://api.example.com",
        {
            "sub": "auth0|6475f2a1c0ffee0011223344",
            "aud": ["https://api.example.com", "https://example.eu.auth0.com/userinfo"],
            "azp": "Mv0dZ8f0sX2kq1cU4hT7",
            "scope": "openid profile email",
        },
        "auth0|6475f2a1c0ffee0011223344",
        header={"typ": "JWT"},
        key=SIGNING | {"x5t": "uLcsdQ", "x5c": ["MIIDDTCCAfWgAwIBAgIJ"]},
    ),
    "Auth0 with its RFC 9068 profile": Shape(
        "https://example.eu.auth0.com/",
        "https://api.example.com",
        {
            "sub": "google-oauth2|115015401343387192604",
            "aud": "https://api.example.com",
            "client_id": "Mv0dZ8f0sX2kq1cU4hT7",
            "jti": "cT5nYbM0pJ",
        },
        "google-oauth2|115015401343387192604",
        header={"typ": "at+jwt"},
        key=SIGNING,
    ),
    # https://www.keycloak.org/docs/latest/server_admin/#audience-support
    "Keycloak": Shape(
        "https://login.example.com/realms/shop",
        "pictures",
        {
            "jti": "onrtro:5cd1d2b3-6a1e-4f0d-9c55-7e9d4f9f2a10",
            "aud": ["pictures", "account"],
            "sub": "7c1f3a52-9b7e-4a0a-a3b6-0c6a3c1e5d77",
            "typ": "Bearer",
            "azp": "shop-web",
            "sid": "1e6fd6c7-6a44-4d0a-8b3a-21a3f4f6a6b0",
            "acr": "1",
            "realm_access": {"roles": ["offline_access"]},
            "preferred_username": "ada",
        },
        "7c1f3a52-9b7e-4a0a-a3b6-0c6a3c1e5d77",
        header={"typ": "JWT"},
        key=SIGNING | {"x5c": ["MIICmzCCAYMCBgGX"], "x5t": "k2p", "x5t#S256": "s2p"},
    ),
    # https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
    "Cognito": Shape(
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi",
        "1example23456789",
        {
            "sub": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
            "client_id": "1example23456789",
            "origin_jti": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee0",
            "event_id": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee1",
            "token_use": "access",
            "scope": "openid",
            "auth_time": ISSUED,
            "jti": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee2",
            "username": "ada",
        },
        "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        key=SIGNING,
    ),
    # https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
    "Entra": Shape(
        "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0",
        "66666666-7777-4888-9999-000000000000",
        {
            "aud": "66666666-7777-4888-9999-000000000000",
            "nbf": ISSUED,
            "aio": "AWQAm/8TAAAA",
            "azp": "66666666-7777-4888-9999-000000000001",
            "azpacr": "0",
            "name": "Ada Lovelace",
            "oid": "99999999-8888-4777-8666-555555555555",
            "preferred_username": "ada@example.com",
            "rh": "0.ARoA",
            "scp": "access_as_user",
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "tid": "11111111-2222-4333-8444-555555555555",
            "uti": "fqiBqXLPj0eQa82S-IYFAA",
            "ver": "2.0",
        },
        "99999999-8888-4777-8666-555555555555",
        username_claim="oid",
        header={"typ": "JWT"},
        # Entra's keys have no `alg`.
        key={"use": "sig", "x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg", "x5c": ["MIIC/TCCAeWgAwIBAgII"]},
    ),
    # https://clerk.com/docs/guides/sessions/session-tokens
    "Clerk": Shape(
        "https://clean-mayfly-62.clerk.accounts.dev",
        "https://shop.example.com",
        {
            "azp": "https://shop.example.com",
            "fva": [0, -1],
            "nbf": ISSUED - 10,
            "sid": "sess_2GaMqUCB3Sc1WNAkWuNzsnYVVEy",
            "sts": "active",
            "sub": "user_2GIpXOEpVyJw51rkZn9Kmnc6Sxr",
            "v": 2,
        },
        "user_2GIpXOEpVyJw51rkZn9Kmnc6Sxr",
        header={"typ": "JWT", "cat": "cl_B7d4PD111AAA"},
        key=SIGNING,
    ),
    # https://firebase.google.com/docs/auth/admin/verify-id-tokens
    "Firebase": Shape(
        "https://securetoken.google.com/example-shop",
        "example-shop",
        {
            "aud": "example-shop",
            "auth_time": ISSUED,
            "user_id": "kR3mZqT1vXbYc9dPwEfGhJ2aLs83",
            "sub": "kR3mZqT1vXbYc9dPwEfGhJ2aLs83",
            "email": "ada@example.com",
            "email_verified": False,
            "firebase": {"identities": {"email": ["ada@example.com"]}, "sign_in_provider": "password"},
        },
        "kR3mZqT1vXbYc9dPwEfGhJ2aLs83",
        header={"typ": "JWT"},
        key=SIGNING,
    ),
    # https://supabase.com/docs/guides/auth/jwt-fields
    "Supabase": Shape(
        "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
        "authenticated",
        {
            "aud": "authenticated",
            "sub": "123e4567-e89b-42d3-a456-426614174000",
            "email": "ada@example.com",
            "phone": "",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {},
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": ISSUED}],
            "session_id": "123e4567-e89b-42d3-a456-426614174001",
            "is_anonymous": False,
        },
        "123e4567-e89b-42d3-a456-426614174000",
        algorithm="ES256",
        header={"typ": "JWT"},
        key={"alg": "ES256", "ext": True, "key_ops": ["verify"], "use": "sig"},
    ),
    # RFC 9068, section 2.2
    "RFC 9068": Shape(
        "https://authorization-server.example.com/",
        "https://rs.example.com/",
        {
            "sub": "5ba552d67",
            "aud": "https://rs.example.com/",
            "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
            "client_id": "s6BhdRkqt3",
            "scope": "openid profile reademail",
        },
        "5ba552d67",
        header={"typ": "at+JWT"},
        key=SIGNING,
    ),
}
