"""What fixes a run of training or evaluation: options, data, seed, commit and versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cs3_model.provenance import package_versions, source_commit


@dataclass(frozen=True, kw_only=True, slots=True)
class RunInfo:
    """What fixes a run."""

    config: dict[str, Any]
    """The options of the command line, with defaults."""
    data_set: str
    split: str
    seed: int
    commit: str
    versions: dict[str, str]


def run_info(config: dict[str, Any], data_set: str, split: str, seed: int) -> RunInfo:
    """Collects what fixes a run, with the commit of the source tree."""
    versions = package_versions("numpy", "torch")
    return RunInfo(
        config=config, data_set=data_set, split=split, seed=seed, commit=source_commit(), versions=versions
    )  # fmt: skip
