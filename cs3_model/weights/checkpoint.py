"""Reading weight files: tensors only, never code; converted once to safetensors, which load at once.

A pickle is parsed at most once, with ``weights_only=True`` and after its hash was checked. What it holds is written to
`cs3_model.weights.cache_folder` as safetensors, whose tensors later processes map into memory instead of reading them.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cs3_model.files import written_whole
from cs3_model.weights.registry import WeightFile
from cs3_model.weights.store import converted_path, fetch, fetch_again, verify

logger = logging.getLogger(__name__)

_CORES = ("core", "_core")
_scalar: Any = np.float64(0).__reduce__()[0]
_reconstruct: Any = np.zeros(1).__reduce__()[0]

_EXTRAS_KEY = "cs3_extras"
_MAX_REASON_LENGTH = 300
_MAX_EXTRA_VALUES = 10_000
"""Of an array among the extras; a larger one belongs to the tensors."""
_HARMLESS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    np.ndarray,
    *(type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"),
    np.dtypes.StrDType,
    # Files of NumPy 1 and 2 call the makers of scalars and arrays by different names.
    *((maker, f"numpy.{core}.multiarray.{maker.__name__}") for maker in (_scalar, _reconstruct) for core in _CORES),
]
"""What a checkpoint may hold beside tensors and plain values; none of it runs code."""
_REFUSED_GLOBAL = re.compile(r"GLOBAL (\S+)")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Checkpoint:
    """The content of one weight file."""

    path: Path
    """The file that its user knows, for messages."""
    remedy: str
    """What to do if it turns out to be the wrong one."""
    tensors: dict[str, torch.Tensor]
    """By name, on the CPU."""
    extras: Mapping[str, Any]
    """Further entries that were asked for; what JSON keeps of them."""

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Adds file and remedy to a ValueError that is raised while a network is built from this."""
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{self.path}: {_one_line(error)}; {self.remedy}") from None


def load_weights(weights: WeightFile) -> Checkpoint:
    """Reads registered weights; downloads them if they are not on this machine.

    Raises:
        ValueError: if they cannot be had, or are not what they should be: one line with file, reason and remedy.
    """
    path, remedy = fetch(weights), f"run: {fetch_again(weights)}"
    if path.suffix == ".safetensors":
        verify(weights)
        return read_checkpoint(path, remedy=remedy)
    converted = converted_path(weights)
    if converted.is_file() and converted.stat().st_mtime_ns >= path.stat().st_mtime_ns:
        try:
            return _read_safetensors(converted, path, remedy)
        except SafetensorError as error:
            logger.warning("%s is damaged (%s): converting %s again", converted, error, path)
    verify(weights)
    checkpoint = read_checkpoint(path, remedy=remedy, extras=weights.extras)
    try:
        write_safetensors(checkpoint, converted)
    except (OSError, SafetensorError) as error:
        logger.warning("%s could not be written (%s): the next start converts again", converted, _one_line(error))
    return checkpoint


def read_checkpoint(
    path: Path, *, remedy: str, extras: tuple[str, ...] = (), parts: tuple[str, ...] = ()
) -> Checkpoint:
    """Reads a safetensors file, or a PyTorch file that holds a state dict, bare or under the key `model`.

    Args:
        path: The file.
        remedy: What its user should do if it cannot be read.
        extras: Further entries of a PyTorch file to keep.
        parts: Where a PyTorch file holds several state dicts: their keys. Tensors are named KEY.NAME.

    Raises:
        ValueError: if it is missing, damaged, holds code, or holds no tensors: one line with file, reason and remedy.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist; {remedy}")
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path, path, remedy)
        with torch.serialization.safe_globals(_HARMLESS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make the readers fail in any way
        if found := _REFUSED_GLOBAL.search(str(error)):
            raise ValueError(f"{path} is refused: it would run code when loaded ({found[1]}); {remedy}") from None
        if "Unsupported operand" in str(error):
            raise ValueError(
                f"{path} is written with a pickle protocol that cannot be read without running code: torch.save it "
                f"with its default, 2; {remedy}"
            ) from None
        raise ValueError(f"{path} is damaged or no checkpoint ({type(error).__name__}); {remedy}") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds {type(content).__name__} instead of named tensors; {remedy}")
    if absent := [part for part in parts if not isinstance(content.get(part), Mapping)]:
        raise ValueError(f"{path} holds no {absent[0]}; {remedy}")
    named = content["model"] if isinstance(content.get("model"), Mapping) else content
    if parts:
        named = {f"{part}.{name}": value for part in parts for name, value in content[part].items()}
    tensors = {name: value for name, value in named.items() if isinstance(value, torch.Tensor) and name}
    if not tensors:
        raise ValueError(f"{path} holds no tensors; {remedy}")
    kept = {name: content[name] for name in extras if name in content}
    return Checkpoint(path=path, remedy=remedy, tensors=tensors, extras=json.loads(json.dumps(_plain(kept))))


def _plain(value: Any) -> Any:
    """What JSON can hold of an entry: numbers, texts, lists and mappings; anything else by its name."""
    if isinstance(value, argparse.Namespace):
        return _plain(vars(value))
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (np.generic, np.ndarray, torch.Tensor)):
        return value.tolist() if math.prod(value.shape) <= _MAX_EXTRA_VALUES else type(value).__name__
    return value if isinstance(value, (bool, int, float, str, type(None))) else type(value).__name__


def _read_safetensors(path: Path, original: Path, remedy: str) -> Checkpoint:
    with safe_open(path, framework="pt") as file:
        extras = json.loads((file.metadata() or {}).get(_EXTRAS_KEY, "{}"))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Checkpoint(path=original, remedy=remedy, tensors=tensors, extras=extras)


def write_safetensors(checkpoint: Checkpoint, path: Path) -> None:
    """Writes tensors and extras, whole or not at all; `read_checkpoint` reads both.

    Raises:
        OSError: if it cannot be written.
    """
    # Checkpoints share storage between tensors, which safetensors refuses.
    tensors = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in checkpoint.tensors.items()}
    with written_whole(path) as hidden:
        save_file(tensors, hidden, metadata={_EXTRAS_KEY: json.dumps(checkpoint.extras)})


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _MAX_REASON_LENGTH else f"{text[:_MAX_REASON_LENGTH]}..."
