"""Converts settings from text, and says what is valid where a value or a name is wrong."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from msgspec import inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Settings = TypeVar("Settings", bound=msgspec.Struct)


def convert_settings(kind: type[Settings], given: Mapping[str, Any], spell: Callable[[str], str]) -> Settings:
    """Make settings of this kind from values by field name. `spell` returns the operator's name of a field.

    Raises:
        ValueError: some values are invalid. The text names each of them and says what would be valid.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for field in msgspec.structs.fields(kind):
        if field.name not in given:
            continue
        try:
            values[field.name] = msgspec.convert(given[field.name], field.type, strict=False)
        except msgspec.ValidationError:
            valid = describe(inspect.type_info(field.type))
            problems.append(f"{spell(field.name)} must be {valid}, not {given[field.name]!r}")
    if problems:
        raise ValueError("; ".join(problems))
    return kind(**values)


def describe(kind: inspect.Type, examples: Iterable[Any] = ()) -> str:
    """The valid values of a type, in words that continue "must be"."""
    match kind:
        case inspect.Metadata():
            schema = cast("dict[str, Any]", kind.extra_json_schema or {})
            words = describe(kind.type, schema.get("examples", ()))
        case inspect.UnionType(types=types):
            words = " or ".join(describe(each) for each in types if not isinstance(each, inspect.NoneType))
        case inspect.LiteralType(values=values):
            words = join_words(values)
        case inspect.BoolType():
            words = "true or false"
        case inspect.IntType(ge=least, le=most):
            words = f"a whole number{_describe_range(least, most)}"
        case inspect.FloatType(gt=above, le=most) if above is not None and most is not None:
            words = f"a number above {above:g} and at most {most:g}"
        case inspect.StrType(min_length=shortest) if shortest:
            words = f"a text of at least {shortest} characters"
        case inspect.StrType():
            words = f"a text like {join_words(examples)}" if examples else "a text"
        case _:
            shape = "map" if isinstance(kind, inspect.DictType) else "list"
            words = f"a {shape} like {join_words(msgspec.json.encode(example).decode() for example in examples)}"
    return words


def join_words(values: Iterable[Any]) -> str:
    words = list(map(str, values))
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def find_nearest(name: str, names: Iterable[str], similarity: float = 0.6) -> str | None:
    """The name that `name` is most likely a misspelling of, whatever the case of its letters."""
    by_lower_case = {each.lower(): each for each in names}
    nearest = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=similarity)
    return by_lower_case[nearest[0]] if nearest else None


def _describe_range(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" of at least {least}" if least is not None else ""
