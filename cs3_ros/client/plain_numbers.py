"""What a user hands to the client, as plain numbers: generated message code ends the process over anything else."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any

import numpy as np

_EXACT_FLOAT = 2**53  # beyond it, floats skip whole numbers


def whole_number(name: str, value: Any, low: int, high: int, *, hint: str = "") -> int:
    """Returns the value as an int: ints of all kinds, NumPy's too, and floats that are whole.

    Raises:
        ValueError: if it is something else or not from `low` to `high`; the line begins with `name`.
    """
    number = None
    is_bool = isinstance(value, (bool, np.bool_))
    if isinstance(value, (float, np.floating)) or (isinstance(value, Real) and not hasattr(value, "__index__")):
        number = int(float(value)) if abs(value) <= _EXACT_FLOAT and value == int(float(value)) else None
    elif hasattr(value, "__index__") and not is_bool:
        try:
            number = operator.index(value)
        except TypeError:  # an array of several numbers
            number = None
    if number is None or not low <= number <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}{hint}, got {_short(value)}")
    return number


def seconds(name: str, value: Any, *, high: float = math.inf) -> float:
    """Returns the value as a float.

    Raises:
        ValueError: if it is no number, NaN, or not from 0 to `high`; the line begins with `name`.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0.0 <= float(value) <= high:
        limit = "0 or more" if high == math.inf else f"from 0 to {high:g}"
        raise ValueError(f"{name} must be a number of seconds, {limit}, got {_short(value)}")
    return float(value)


def seconds_or_none(name: str, value: Any) -> float | None:
    """Returns the value as a float, None as it is; raises as `seconds` does."""
    return None if value is None else seconds(name, value)


def text(name: str, value: Any) -> str:
    """Returns the value.

    Raises:
        ValueError: if it is no string, or one that a message cannot hold.
    """
    if not isinstance(value, str) or "\0" in value or not _is_unicode(value):
        raise ValueError(f"{name} must be a string, got {_short(value)}")
    return value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, from a file name of another encoding
        return False
    return True


def _short(value: Any) -> str:
    shown = ascii(value) if isinstance(value, (str, bytes)) else repr(value)
    shown = " ".join(shown.split())
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
