"""The table of users, in the shape of DynamoDB's CreateTable."""

from __future__ import annotations

from typing import Any

from services.store.table import USERNAME


def table_definition() -> dict[str, Any]:
    return {
        "AttributeDefinitions": [{"AttributeName": USERNAME, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": USERNAME, "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
