"""Says which system libraries of the renderers are missing, in one line."""

from __future__ import annotations

import ctypes.util
from pathlib import Path

_PACKAGES = {
    "EGL": "libegl1 libegl-mesa0",
    "GL": "libgl1-mesa-dri",
}
_VULKAN_DRIVERS = (Path("/usr/share/vulkan/icd.d"), Path("/etc/vulkan/icd.d"))


def missing_for_filament() -> str | None:
    """Returns what the Filament renderer lacks and how to install it, or None."""
    drivers = [driver for folder in _VULKAN_DRIVERS for driver in folder.glob("lvp_icd*.json")]
    if not drivers:
        return "the Filament renderer needs the lavapipe Vulkan driver: apt-get install mesa-vulkan-drivers libegl1"
    return None


def missing_for_classic() -> str | None:
    """Returns what the classic renderer lacks and how to install it, or None."""
    if ctypes.util.find_library("EGL") is None:
        return f"the classic renderer needs EGL: apt-get install {_PACKAGES['EGL']} {_PACKAGES['GL']}"
    return None
