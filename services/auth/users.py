from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.store.keys import USERNAME_PATTERN
from services.store.table import USERNAME, UnknownUserError, make_key

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Users:
    """The demo's users. Everyone who has a row can log in, without a password."""

    dynamodb: DynamoDBClient
    table: str

    def require(self, username: str) -> None:
        """
        Raises:
            UnknownUserError: the table has no row of this user.
        """
        if re.fullmatch(USERNAME_PATTERN, username):
            found = self.dynamodb.get_item(TableName=self.table, Key=make_key(username), ProjectionExpression=USERNAME)
            if "Item" in found:
                return
        raise UnknownUserError
