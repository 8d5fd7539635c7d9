"""Whether policies allow a call, by IAM's rules. What this doesn't know of those rules is an error, not an answer."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from tests.infra.policies import as_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"}


class Decision(Enum):
    ALLOWED = "a statement allows it"
    DENIED = "a statement denies it"
    NOT_ALLOWED = "no statement allows it"


class UnknownRuleError(Exception):
    """A policy uses what is not simulated."""


def decide(
    documents: Iterable[Mapping[str, Any]],
    action: str,
    resource: str,
    *,
    context: Mapping[str, str] | None = None,
    principal: str | None = None,
) -> Decision:
    """By the documents of a role, or, with a principal (an ARN or a service's name), by that of a resource."""
    known = {key.lower(): value for key, value in (context or {}).items()}
    statements = [statement for document in documents for statement in as_list(document["Statement"])]
    effects = {each["Effect"] for each in statements if _applies(each, action, resource, known, principal)}
    if "Deny" in effects:
        return Decision.DENIED
    return Decision.ALLOWED if "Allow" in effects else Decision.NOT_ALLOWED


def is_allowed(
    documents: Iterable[Mapping[str, Any]], action: str, resource: str, *, context: Mapping[str, str] | None = None
) -> bool:
    return decide(documents, action, resource, context=context) is Decision.ALLOWED


def _applies(
    statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str], principal: str | None
) -> bool:
    if unknown := set(statement) - _ELEMENTS:
        raise UnknownRuleError(f"{', '.join(unknown)} in {statement}")
    return (
        _is_meant(statement, "Action", action.lower(), lower=True)
        and _is_meant(statement, "Resource", resource)
        and _is_principal(statement, principal)
        and all(
            _holds(operator, key.lower(), as_list(expected), context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
    )


def _is_meant(statement: Mapping[str, Any], element: str, value: str, *, lower: bool = False) -> bool:
    refused = f"Not{element}" in statement
    patterns = [str(each) for each in as_list(statement.get(f"Not{element}" if refused else element))]
    # A trust policy has no resource: it is the role's own.
    found = any(_matches(each.lower() if lower else each, value) for each in patterns) or (
        element == "Resource" and not patterns
    )
    return found is not refused


def _is_principal(statement: Mapping[str, Any], principal: str | None) -> bool:
    named = statement.get("Principal")
    if named is None or named == "*":
        return True
    values = [str(each) for group in named.values() for each in as_list(group)]
    account = principal.split(":")[4] if principal and principal.startswith("arn:") else None
    return any(
        each in ("*", principal) or (account and each in (account, f"arn:aws:iam::{account}:root")) for each in values
    )


def _holds(operator: str, key: str, expected: list[Any], context: Mapping[str, str]) -> bool:
    actual = context.get(key)
    if operator.startswith("ForAllValues:"):
        # It holds of a request without such values (AWS: "Set operators for multivalued context keys").
        each = operator.removeprefix("ForAllValues:")
        return all(_holds(each, key, expected, {key: value}) for value in (actual.split(",") if actual else ()))
    name = operator.removesuffix("IfExists")
    if name == "Null":
        return (actual is None) is (str(expected[0]).lower() == "true")
    if name not in _COMPARISONS:
        raise UnknownRuleError(f"condition {operator}")
    compare, negated = _COMPARISONS[name]
    if actual is None:
        # A negated comparison holds of what is not there.
        return negated or name != operator
    found = any(compare(str(each), actual) for each in expected)
    return found is not negated


def _matches(pattern: str, value: str) -> bool:
    """`*` is any characters, `?` is one."""
    if "${" in pattern:
        raise UnknownRuleError(f"policy variable in {pattern}")
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(each, re.escape(each)) for each in pattern), value, re.DOTALL) is not None


def _matches_arn(pattern: str, value: str) -> bool:
    """Each of the six parts for itself."""
    patterns, values = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(values) and all(map(_matches, patterns, values))


def _is_equal(expected: str, actual: str) -> bool:
    return expected == actual


def _is_equal_ignoring_case(expected: str, actual: str) -> bool:
    return expected.lower() == actual.lower()


def _is_less(expected: str, actual: str) -> bool:
    return float(expected) < float(actual)


def _is_more(expected: str, actual: str) -> bool:
    return float(expected) > float(actual)


_COMPARISONS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "ArnEquals": (_matches_arn, False),
    "ArnLike": (_matches_arn, False),
    "ArnNotEquals": (_matches_arn, True),
    "ArnNotLike": (_matches_arn, True),
    "Bool": (_is_equal_ignoring_case, False),
    "NumericGreaterThan": (_is_less, False),
    "NumericLessThan": (_is_more, False),
    "StringEquals": (_is_equal, False),
    "StringEqualsIgnoreCase": (_is_equal_ignoring_case, False),
    "StringLike": (_matches, False),
    "StringNotEquals": (_is_equal, True),
    "StringNotLike": (_matches, True),
}
"""Each with whether it is the negation of what it compares."""
