"""Lets MuJoCo's Filament renderer find its compiled materials inside the wheel.

MuJoCo asks a resource provider with the prefix ``filament`` for files such as ``pbr.filamat``; the Python wheel brings
the files but registers no provider. This one serves them. It is a C structure of `mjplugin.h` (mjpResourceProvider).
"""

from __future__ import annotations

import collections.abc
import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

# MuJoCo 4.0.0's mjrf imports this name, which Python has from 3.12 on.
if not hasattr(collections.abc, "Buffer"):
    collections.abc.Buffer = np.ndarray  # type: ignore[attr-defined]

import mujoco

_ASSETS = Path(mujoco.__file__).parent / "studio" / "assets"


class _Resource(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("vfs", ctypes.c_void_p),
        ("timestamp", ctypes.c_char * 512),
        ("provider", ctypes.c_void_p),
        ("args", ctypes.c_char_p),
    ]


_Open = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Resource))
_Read = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.POINTER(_Resource), ctypes.POINTER(ctypes.c_void_p))
_Close = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Resource))


class _Provider(ctypes.Structure):
    _fields_ = [
        ("prefix", ctypes.c_char_p),
        ("open", _Open),
        ("read", _Read),
        ("close", _Close),
        ("mount", ctypes.c_void_p),
        ("unmount", ctypes.c_void_p),
        ("modified", ctypes.c_void_p),
        ("write", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
    ]


@cache
def _content(name: str) -> tuple[ctypes.Array[ctypes.c_char], int] | None:
    """The bytes of an asset, kept for the life of the process, because the renderer holds on to them."""
    path = _ASSETS / name.rpartition(":")[2].rpartition("/")[2]
    if not path.is_file():
        return None
    data = path.read_bytes()
    return ctypes.create_string_buffer(data, len(data)), len(data)


def _open(resource: Any) -> int:
    content = _content(resource.contents.name.decode())
    if content is None:
        return 0
    resource.contents.data = ctypes.addressof(content[0])
    return 1


def _read(resource: Any, buffer: Any) -> int:
    content = _content(resource.contents.name.decode())
    assert content is not None  # `_open` found it
    buffer[0] = ctypes.addressof(content[0])
    return content[1]


def _close(resource: Any) -> None:
    resource.contents.data = None  # else MuJoCo would free it


_PROVIDER = _Provider(b"filament", _Open(_open), _Read(_read), _Close(_close), None, None, None, None, None)


@cache
def register() -> None:
    """Registers the provider, once per process.

    Raises:
        ImportError: if MuJoCo's shared library is not where its wheel puts it.
    """
    libraries = sorted(Path(mujoco.__file__).parent.glob("libmujoco.so.*"))
    if not libraries:
        raise ImportError(f"{Path(mujoco.__file__).parent} holds no libmujoco.so: install the wheel mujoco==4.0.0")
    library = ctypes.CDLL(str(libraries[0]))
    library.mjp_registerProvider.argtypes = [ctypes.POINTER(_Provider)]
    library.mjp_registerProvider.restype = ctypes.c_int
    library.mjp_registerProvider(ctypes.byref(_PROVIDER))
