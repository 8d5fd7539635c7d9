"""The table of users, in the shape of DynamoDB's CreateTable."""

from __future__ import annotations

from typing import Any

HASH_KEY = "Username"


def table_definition() -> dict[str, Any]:
    return {
        "AttributeDefinitions": [{"AttributeName": HASH_KEY, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": HASH_KEY, "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
