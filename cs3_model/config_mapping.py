"""Strict conversion of YAML mappings to configuration dataclasses."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def from_mapping(config_type: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Builds a configuration dataclass from the fields that differ from its defaults.

    Args:
        config_type: A dataclass whose fields are numbers, strings, enums, tuples of one type or further such dataclasses.
        values: Field names to values; nested mappings for nested dataclasses.
        where: Prefix of field names in error messages.

    Raises:
        ValueError: for an unknown field, a value of the wrong type, or one that the dataclass refuses.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where or 'the configuration'} must be a mapping of fields, got {values!r}")
    types = typing.get_type_hints(config_type)
    names = [field.name for field in dataclasses.fields(config_type)]
    unknown = [key for key in values if key not in names]
    if unknown:
        raise ValueError(f"unknown field '{_join(where, unknown[0])}'; valid fields: {', '.join(names)}")
    fields = {name: _convert(types[name], value, _join(where, name)) for name, value in values.items()}
    try:
        return config_type(**fields)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}" if where else str(error)) from None


def _convert(wanted: Any, value: Any, where: str) -> Any:
    if isinstance(wanted, type) and dataclasses.is_dataclass(wanted):
        return from_mapping(wanted, value, where)
    if typing.get_origin(wanted) is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where} must be a list, got {value!r}")
        return tuple(_convert(typing.get_args(wanted)[0], item, where) for item in value)
    if issubclass(wanted, enum.Enum):
        choices = [member.value for member in wanted]
        if value not in choices:
            raise ValueError(f"{where} must be one of {', '.join(map(str, choices))}, got {value!r}")
        return wanted(value)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ValueError(f"{where} must be of type {wanted.__name__}, got {value!r}")
    return value


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else str(name)
