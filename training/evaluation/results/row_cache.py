"""Scores of rows on disk, so that a table is made in as many sittings as it takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from cs3_model.build import load_preset
from cs3_model.files import file_digest, write_whole
from cs3_model.metrics import MaskScore
from cs3_model.provenance import source_commit
from cs3_model.types import Verdict
from training.data.samples import DataSet
from training.data.sound_windows import WindowRule
from training.evaluation.methods import build_row
from training.evaluation.row_spec import PresetSpec, RowSpec
from training.evaluation.runner import Evaluation, SampleResult, evaluate


class RowCache:
    """Records of rows on one split.

    A row is known by its spelling with the contents of its preset and of the files that both name, by the samples, the
    seed and how the sound is cut; not by the source: after a change that matters, delete the folder.

    Args:
        folder: of the JSON files.
        data_set: the split.
        limit: number of samples to draw; 0: all.
        seed: as of `evaluate`.
        rule: how the sound is cut.
    """

    def __init__(
        self, folder: Path, data_set: DataSet, *, limit: int, seed: int, rule: WindowRule | None = None
    ) -> None:
        self._folder, self._data_set, self._limit, self._seed = folder / data_set.split, data_set, limit, seed
        samples = "".join(sample.sample_id for sample in data_set.samples)
        self._rule = rule or WindowRule()
        self._about = (
            f"{data_set.name} {data_set.split} {_digest(samples.encode())} limit {limit} seed {seed} {self._rule}"
        )

    def read(self, row: RowSpec) -> list[SampleResult] | None:
        """The records, or None if there are none yet.

        Raises:
            ValueError: if the file is damaged.
        """
        path = self._path(row)
        if not path.exists():
            return None
        try:
            return [_record(entry) for entry in json.loads(path.read_text(encoding="utf-8"))["records"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error}): delete it") from None

    def commits(self, rows: Sequence[RowSpec]) -> set[str]:
        """The source trees that the records were made with."""
        return {json.loads(self._path(row).read_text(encoding="utf-8"))["commit"] for row in rows}

    def fill(self, rows: Sequence[RowSpec], device: torch.device) -> Iterator[int]:
        """Computes what is not there, all rows at once; yields the number of samples done.

        Raises:
            ValueError: if a row cannot be built or a sample cannot be read.
        """
        missing = [row for row in rows if not self._path(row).exists()]
        if not missing:
            return
        steps = evaluate(
            [build_row(row, device=device, seed=self._seed) for row in missing],
            self._data_set,
            rule=self._rule,
            seed=self._seed,
            limit=self._limit,
            num_examples=0,
        )
        for done, evaluation in enumerate(steps, 1):
            if evaluation.skipped:
                raise ValueError(evaluation.skipped[0].reason)
            yield done
        self._write(missing, evaluation)

    def _write(self, rows: Sequence[RowSpec], evaluation: Evaluation) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for row in rows:
            entry = {
                "method": row.spelled(),
                "about": self._about,
                "commit": source_commit(),
                "records": [asdict(record) for record in evaluation.records[row.spelled()]],
            }
            write_whole(self._path(row), json.dumps(entry).encode())

    def _path(self, row: RowSpec) -> Path:
        identity = f"{self._about} {row.spelled(file_digest)} {_preset_contents(row)}"
        return self._folder / f"{_digest(identity.encode())}.json"


def _preset_contents(row: RowSpec) -> str:
    """The preset of a row as it is read, its files by their contents; empty where a row has none."""
    if not isinstance(row, PresetSpec):
        return ""
    preset = load_preset(row.preset)
    files = {name: getattr(preset, name) for name in ("audio_weights", "micro_weights", "selection_weights")}
    contents: dict[str, Any] = {name: file_digest(Path(path)) for name, path in files.items() if path}
    return repr(replace(preset, **contents))


def _record(entry: dict[str, Any]) -> SampleResult:
    score = entry["score"]
    score = None if score is None else MaskScore.from_fields(score)
    return SampleResult(**{**entry, "verdict": Verdict(entry["verdict"]), "score": score})


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
