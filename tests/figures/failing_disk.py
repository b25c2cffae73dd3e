"""Each write of four commands fails once: what is said and left, and if a second try is equal.

They are an evaluation, a training, `cs3 segment` and `evaluate_bag`.

scripts/run python -m tests.figures.failing_disk
"""

from __future__ import annotations

import atexit
import builtins
import errno
import io
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import numpy as np
import soundfile
import torch
import typer
from click.testing import Result
from torch import nn
from torch.utils.data import Dataset
from typer.testing import CliRunner

from benchmarks import sounds
from cs3_model.cli import app as cs3
from cs3_model.media import MediaFile
from cs3_model.picture_files import write_picture
from tests.training.drawn_world import drawn_data_set
from training.data import READERS, Reader
from training.evaluate import main as evaluate_command
from training.loop.trainer import LoopConfig, RunStoppedError
from training.micro.fitting import StageConfig, fit

_RATE_HZ = 48_000
ERRORS = (errno.ENOSPC, errno.EACCES, errno.EROFS)


class FailingDisk:
    """Counts what is opened for writing, written, synced, renamed, made and removed under a folder; one of them fails.

    Args:
        folder: Where.
        number: Which operation fails, counted from 1; 0: none. Those after it work again.
        code: The error's number.
    """

    def __init__(self, folder: Path, number: int, code: int) -> None:
        self.num_operations = 0
        self._folder, self._number, self._code = str(folder), number, code

    def strike(self, path: object) -> None:
        """Counts an operation on a path, or on a descriptor."""
        name = Path(f"/proc/self/fd/{path}").readlink() if isinstance(path, int) else path
        if not str(name).startswith(self._folder):
            return
        self.num_operations += 1
        if self.num_operations == self._number:
            raise OSError(self._code, os.strerror(self._code), str(name))

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Stands between Python and its disk."""
        real_open = io.open

        def checked_open(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if not set(mode) & set("wxa+"):
                return real_open(file, mode, *arguments, **named)
            self.strike(file)
            return _Written(real_open(file, mode, *arguments, **named), lambda: self.strike(file))

        def checked(call: Callable[..., Any]) -> Callable[..., Any]:
            def strike_and_call(path: Any, *arguments: Any, **named: Any) -> Any:
                self.strike(path)
                return call(path, *arguments, **named)

            return strike_and_call

        patches = [mock.patch.object(module, "open", checked_open) for module in (builtins, io)]
        calls = ("fsync", "replace", "rename", "mkdir")
        patches += [mock.patch.object(os, name, checked(getattr(os, name))) for name in calls]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()


class _Written:
    """A file whose writes may fail."""

    def __init__(self, file: Any, strike: Callable[[], None]) -> None:
        self._file, self._strike = file, strike

    def write(self, content: Any) -> int:
        self._strike()
        return self._file.write(content)

    def __enter__(self) -> _Written:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try of the work."""

    error: str
    """What was said; empty if nothing failed."""
    result: dict[str, str]
    """What the work is about: by name, as text."""


Work = Callable[[Path], Attempt]


def failures(work: Work, *, every: int = 1, errors: Sequence[int] = ERRORS) -> Counter[str]:
    """Lets each operation fail once with each error, and then does the work again on a disk that works.

    Args:
        work: Writes to a folder.
        every: Each so many-th operation alone.
        errors: Their numbers.
    """
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        disk = FailingDisk(Path(place), 0, 0)
        with disk():
            whole = work(Path(place) / "out")
    assert not whole.error, whole.error
    for code in errors:
        for number in range(1, disk.num_operations + 1, every):
            with tempfile.TemporaryDirectory() as place:
                out = Path(place) / "out"
                with FailingDisk(Path(place), number, code)():
                    failed = work(out)
                outcomes[_judged(failed, work, out, whole)] += 1
    return outcomes


def _judged(failed: Attempt, work: Work, out: Path, whole: Attempt) -> str:
    if failed.error and len(failed.error.splitlines()) != 1:
        return f"more than a line: {failed.error}"
    if not failed.error and failed.result != whole.result:
        return "failed in silence"
    if partial := [name for name, text in failed.result.items() if text != whole.result[name]]:
        return f"partial: {', '.join(partial)}"
    if left := [path.name for path in out.rglob(".*")]:
        return f"left: {', '.join(left)}"
    if work(out) != whole:
        return "another result at the second try"
    return "one line, nothing partial, the second try equal" if failed.error else "not needed, the result equal"


def evaluation(out: Path) -> Attempt:
    """`python -m training.evaluate` on drawn pictures."""
    command = typer.Typer()
    command.command()(evaluate_command)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as data:
        reader = Reader(
            splits=("test",), evaluation_split="test", open=lambda root, split: drawn_data_set(root, 1, ("high", "low"))
        )
        with mock.patch.dict(READERS, {"drawn": reader}):
            arguments = ["--data", f"drawn:{data}", "--out", str(out), "--device", "cpu", "--method", "centre"]
            ended = CliRunner().invoke(command, arguments)
    names = ("results.md", "results.json", "success_curves.png", "miou_by_stratum.png", "examples.png")
    return Attempt(error=_error_of(ended), result=_texts(out, names))


def _error_of(ended: Result) -> str:
    said = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
    return "" if ended.exit_code == 0 else "\n".join(said) or f"no line of an error: {ended.exception!r}\n"


def _texts(out: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The files that are there, without times and the names of temporary folders."""
    found = {name: (out / name).read_bytes().decode("latin-1") for name in names if (out / name).exists()}
    return {
        name: re.sub(r'/(var/)?tmp/[\w/]+|\d+\.\d+ ms|\d+ ms|"stage_s": {[^}]*}', "", text)
        for name, text in found.items()
    }


def training(out: Path) -> Attempt:
    """A small training with a checkpoint after each step, which goes on where the one before ended."""
    torch.manual_seed(0)
    config = StageConfig(steps=3, learning_rate=0.1, weight_decay=0.0, warm_up_steps=5, averaging=0.9, loader_workers=0)
    loop = LoopConfig(checkpoint_every=1, log_every=1)
    try:
        model = fit(nn.Linear(1, 1), _Lines(), _losses, config, out, run={"seed": 0}, loop=loop)
    except (ValueError, OSError, RunStoppedError) as error:
        return Attempt(error=str(error), result={})
    return Attempt(error="", result={name: str(value.tolist()) for name, value in model.state_dict().items()})


class _Lines(Dataset[torch.Tensor]):
    """Points on a line, by step."""

    def __getitem__(self, step: int) -> torch.Tensor:
        x = torch.randn(16, 1, generator=torch.Generator().manual_seed(step))
        return torch.cat([x, 3.0 * x + 1.0], 1)


def _losses(model: nn.Module, batch: torch.Tensor, step: int) -> dict[str, torch.Tensor]:
    return {"error": ((model(batch[:, :1]) - batch[:, 1:]) ** 2).mean()}


def segmentation(out: Path) -> Attempt:
    """`cs3 segment` on a picture of noise and a knock."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as inputs:
        picture, sound = Path(inputs) / "picture.png", Path(inputs) / "sound.wav"
        write_picture(picture, rng.integers(0, 256, (90, 160, 3), np.uint8))
        noise = 1e-4 * rng.standard_normal(2 * _RATE_HZ)
        soundfile.write(sound, sounds.place(noise, [1.0], [sounds.impact(rng, _RATE_HZ)], _RATE_HZ), _RATE_HZ)
        arguments = ["segment", str(picture), str(sound), "--out", str(out), "--preset", "debug", "--device", "cpu"]
        ended = CliRunner().invoke(cs3, arguments)
    found = _texts(out, ("mask_1.png", "mask_2.png", "overlay.png", "verdict.json"))
    return Attempt(error=_error_of(ended), result=found)


def bag_evaluation(out: Path) -> Attempt:
    """`evaluate_bag` on two seconds of a bag, with hand-made parts in place of networks."""
    from cs3_ros.evaluate_bag import main as evaluate_bag  # needs ROS 2, which the others do not
    from tests.ros.perception.perception_graph import use_hand_made_parts

    arguments = [str(_recording()), "--out", str(out), "--preset", "debug", "--param", "device:=cpu"]
    with ExitStack() as until_the_end, redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()):
        use_hand_made_parts(
            lambda builders, name, part: until_the_end.enter_context(mock.patch.dict(builders, {name: part}))
        )
        status = evaluate_bag(arguments)
    pictures = (f"bag/{kind}/event_00000.png" for kind in ("overlays", "spectrograms"))
    found = _texts(out, ("summary.json", "bag/events.jsonl", "bag/config.json", *pictures))
    if (video := out / "bag/overlay.mp4").exists():
        found["bag/overlay.mp4"] = _shown_by(video)
    if status and json.loads(found.get("summary.json", "{}")):
        del found["summary.json"]  # whole, but of a bag that failed
    return Attempt(error=said.getvalue() if status else "", result=found)


def _shown_by(video: Path) -> str:
    """Its pictures and samples by their times: one in forty times the encoder makes other bytes of the same pictures."""
    try:
        media = MediaFile(video)
        times_ns = [picture.time_ns for picture in media.pictures()]
        spans_ns = [(block.time_ns, block.end_ns) for block in media.sound(1.0)]
    except ValueError as error:
        return f"cannot be read: {error}"
    return f"{times_ns} {spans_ns} {media.damage}"


@cache
def _recording() -> Path:
    """A bag with one impact, which the hand-made parts see; it lasts as long as the process."""
    from tests.ros.replay.recordings import write_recording

    folder = tempfile.TemporaryDirectory(dir="/var/tmp")
    atexit.register(folder.cleanup)
    return write_recording(Path(folder.name) / "bag", seconds=2.0)


WORKS: dict[str, Work] = {
    "evaluation": evaluation,
    "training": training,
    "segmentation": segmentation,
    "bag evaluation": bag_evaluation,
}


def main(
    every: Annotated[int, typer.Option(help="Each so many-th operation alone.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="Which work; all by default.")] = None,
) -> None:
    """Print what came of each failure."""
    for name in only or WORKS:
        for outcome, count in failures(WORKS[name], every=every).most_common():
            typer.echo(f"{name}: {count:4d} {outcome}")


if __name__ == "__main__":
    typer.run(main)
