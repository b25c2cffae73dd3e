"""The presets by name: which there are, and where their files lie. Needs no PyTorch."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

AUTO = "auto"
"""Not a preset of its own but the best that can run here: `cs3_model.auto_preset`."""
PRESETS = resources.files("cs3_model") / "presets"
"""Where they lie."""


def preset_names() -> list[str]:
    """The presets that ship with the package."""
    return sorted(Path(entry.name).stem for entry in PRESETS.iterdir() if entry.name.endswith(".yaml"))


def check_preset_name(name: str) -> None:
    """Refuses what neither is a preset nor chooses one.

    Raises:
        ValueError: if there is no such preset.
    """
    if name != AUTO:
        read_preset_file(name)


def read_preset_file(name: str) -> tuple[str, Path]:
    """Finds a preset.

    Args:
        name: Name of a preset that ships with the package, or path of a YAML file of one's own.

    Returns:
        Its text, and the folder that the paths in it are relative to.

    Raises:
        ValueError: if there is no such preset.
    """
    if name in preset_names():
        return (PRESETS / f"{name}.yaml").read_text(encoding="utf-8"), Path()
    if name.endswith(".yaml") and Path(name).is_file():
        return Path(name).read_text(encoding="utf-8"), Path(name).resolve().parent
    raise ValueError(f"unknown preset '{name}'; choose one of {', '.join(preset_names())}, or give a .yaml file")
