"""The command, whole, on made videos: files, exit codes, kills and several processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import socket
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from cs3_model.networks.audio_visual import build_debug_audio_visual_network
from cs3_model.provenance import source_commit
from tests.training.full_disk import room_for
from tests.training.micro.small import small_weights
from training.loop.log import read_curve
from training.train import main

HEADER = "annotation_id,participant_id,video_id,start_timestamp,stop_timestamp,start_sample,stop_sample,class\n"
RECIPE = """\
steps: 4
batch_size: 4
learning_rate: {rate:.1e}
pooling_dropout: {dropout}
losses: {{masker: {{bias: 0.0}}}}
"""
STARTS_S = [1.0 + 1.5 * index for index in range(6)]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def epic(tmp_path, make_video) -> Path:
    """Six training rows of EPIC-CS3 and their video."""
    folder = tmp_path / "epic"
    rows = [row(index, start_s) for index, start_s in enumerate(STARTS_S)]
    make_video(folder / "videos/P01_01.mkv", seconds=11.0, click_s=[start_s + 0.1 for start_s in STARTS_S])
    (folder / "epic_train_filtered.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return folder


def row(index: int, start_s: float) -> str:
    """A row of 0.4 s in the official format."""
    stop_s = start_s + 0.4
    times = f"00:00:{start_s:06.3f},00:00:{stop_s:06.3f},{round(24_000 * start_s)},{round(24_000 * stop_s)}"
    return f"P01_01_{index},P01,P01_01,{times},metal-only-collision"


@pytest.fixture
def arguments(tmp_path, epic) -> list[str]:
    """The arguments of a short run of the debug preset."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.format(rate=1e-3, dropout=0.0))
    data = ["--data", f"epic_cs3:{epic}", "--preset", "debug", "--recipe", str(recipe)]
    return [*data, "--device", "cpu", "--workers", "0", "--log-every", "1", "--checkpoint-every", "2"]


def run(*arguments: str):
    command = typer.Typer()
    command.command()(main)
    return CliRunner().invoke(command, arguments)


def curve(out: Path, name: str) -> dict[int, float]:
    """What TensorBoard shows of a run, by step."""
    group = "loss" if name in ("total", "image", "feature", "area") else "training"
    return read_curve(out / "tensorboard", f"{group}/{name}")


def in_new_process(arguments: list[str], environment: dict[str, str], room: int, said: Path) -> None:
    """Runs the command in a process of its own; its exit code is that of the command."""
    torch.set_num_threads(1)
    os.environ.update(environment)
    with room_for(room):
        result = run(*arguments)
    said.write_text(result.output)
    raise SystemExit(result.exit_code)


def start(
    arguments: list[str], said: Path, *, room: int = resource.RLIM_INFINITY, **environment: str
) -> multiprocessing.Process:
    """Starts the command, on a disk with room for files of that size; what it says comes into a file."""
    context = multiprocessing.get_context("forkserver")  # imports once; forks from a process without threads
    context.set_forkserver_preload(["tests.training.weak.test_train", "training.weak.clipseg_model"])
    process = context.Process(target=in_new_process, args=(arguments, environment, room, said))
    process.start()
    return process


def start_both(
    arguments: list[str], said: Path, *, room_of_first: int = resource.RLIM_INFINITY
) -> list[multiprocessing.Process]:
    """Starts two processes that train together, as torchrun does; what each says comes into a file of its number."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    launched = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [
        start(arguments, said.with_suffix(f".{rank}"), room=room, RANK=rank, LOCAL_RANK=rank, **launched)
        for rank, room in (("0", room_of_first), ("1", resource.RLIM_INFINITY))
    ]


def test_a_run_writes_weights_that_fit_a_card_curves_and_what_it_was(arguments, tmp_path) -> None:
    out = tmp_path / "out"
    result = run(*arguments, "--out", str(out), "--seed", "3", "--workers", "2")
    assert result.exit_code == 0, result.output
    assert (
        "4/4" in result.output and "total=" in result.output and "0 steps skipped, 0 samples replaced" in result.output
    )

    written, network = load_file(out / "audio_weights.safetensors"), build_debug_audio_visual_network()
    network.beats.predictor = None
    assert written.pop("masker.scale") == pytest.approx(10.0, abs=0.1)
    assert written.pop("masker.bias") == pytest.approx(0.0, abs=0.1)
    parts = torch.nn.ModuleDict({"beats": network.beats, "audio_token": network.audio_token})
    parts.load_state_dict(written, strict=True)
    card = (out / "README.md").read_text()
    assert "| 4 x 4 |" in card and "epic_cs3, split train, 6 samples" in card and "masks mean nothing" in card

    info = json.loads((out / "run.json").read_text())
    assert info["seed"] == 3 and info["data_set"] == "epic_cs3" and info["versions"]["torch"] == version("torch")
    assert info["config"]["settings"]["recipe"]["losses"]["masker"]["bias"] == 0.0
    assert info["config"]["command"]["workers"] == 2
    assert info["commit"] == source_commit()
    total = curve(out, "total")
    assert list(total) == [1, 2, 3, 4]
    for step, value in total.items():
        assert value == pytest.approx(sum(curve(out, name)[step] for name in ("image", "feature", "area")), rel=1e-5)


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_curve(arguments, tmp_path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    arguments += ["--batch-size", "2"]
    process = start([*arguments, "--out", str(killed), "--steps", "500"], tmp_path / "said")
    deadline = time.monotonic() + 200
    while not list(killed.glob("checkpoints/step-*2.pt")) and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    done = int(max(killed.glob("checkpoints/step-*.pt")).stem[5:])
    again = run(*arguments, "--out", str(killed))
    assert again.exit_code == 2 and "holds an earlier run: --resume goes on with it" in again.output

    steps = str(done + 3)
    resumed = run(*arguments, "--out", str(killed), "--steps", steps, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert (killed / f"run-from-step-{done}.json").is_file()
    assert run(*arguments, "--out", str(whole), "--steps", steps).exit_code == 0
    for name in ("total", "gradient norm"):
        assert curve(killed, name) == pytest.approx(curve(whole, name), rel=1e-6)
    mine, theirs = (load_file(out / "audio_weights.safetensors") for out in (killed, whole))
    for name, value in theirs.items():
        torch.testing.assert_close(mine[name], value, msg=name)


def test_two_processes_equal_one_with_the_same_batch(arguments, tmp_path) -> None:
    both, alone = tmp_path / "both", tmp_path / "alone"
    processes = start_both([*arguments, "--out", str(both)], tmp_path / "said")
    assert run(*arguments, "--out", str(alone)).exit_code == 0
    for process in processes:
        process.join(timeout=200)
    assert [process.exitcode for process in processes] == [0, 0]
    for name in ("image", "feature", "area", "gradient norm"):
        expected = curve(alone, name)
        assert curve(both, name) == pytest.approx(expected, rel=1e-3), name
        assert len(expected) == 4 and curve(both, name)[1] == pytest.approx(expected[1], rel=1e-5), name


def test_steps_that_are_not_finite_are_skipped_counted_and_end_the_run(arguments, tmp_path) -> None:
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "out"
    recipe.write_text(RECIPE.format(rate=1e30, dropout=0.0))
    result = run(*arguments, "--out", str(out), "--max-skipped-steps", "1")
    assert result.exit_code == 1
    last = result.output.splitlines()[-1]
    assert "stopped: step 3: 2 steps had a loss or gradient that is not finite (total nan" in last
    assert curve(out, "skipped steps") == {1: 0, 2: 1, 3: 2}
    assert not (out / "audio_weights.safetensors").exists()
    saved = torch.load(out / "checkpoints/step-00000002.pt", weights_only=True)["tensors"]
    assert all(torch.isfinite(value).all() for value in saved.values())


def test_a_full_disk_ends_the_run_in_one_line(arguments, tmp_path) -> None:
    out = tmp_path / "out"
    with room_for(300_000):
        result = run(*arguments, "--out", str(out))
    assert result.exit_code == 1
    assert "stopped: step 2: " in result.output.splitlines()[-1] and "go on with --resume" in result.output
    assert list((out / "checkpoints").iterdir()) == []


def test_a_full_disk_of_the_process_that_writes_ends_all_of_them_in_a_line_each(arguments, tmp_path) -> None:
    said = tmp_path / "said"
    processes = start_both([*arguments, "--out", str(tmp_path / "out")], said, room_of_first=300_000)
    for process in processes:
        process.join(timeout=200)
    assert [process.exitcode for process in processes] == [1, 1]
    assert "stopped: step 2: " in said.with_suffix(".0").read_text().splitlines()[-1]
    other = said.with_suffix(".1").read_text()
    assert other == "stopped: another process of this training has ended, see what it printed\n"


def test_unreadable_samples_stop_the_run_or_are_counted(arguments, epic, tmp_path) -> None:
    with (epic / "epic_train_filtered.csv").open("a") as file:  # the video ends before
        file.write(row(6, 20.0) + "\n")
    arguments += ["--batch-size", "7", "--steps", "1"]
    result = run(*arguments, "--out", str(tmp_path / "out"))
    assert result.exit_code == 1 and "stopped: step 1: " in result.output.splitlines()[-1]
    assert "P01_01.mkv has no picture at 20." in result.output.splitlines()[-1]
    counted = run(*arguments, "--out", str(tmp_path / "out"), "--unreadable", "replace")
    assert counted.exit_code == 0, counted.output
    assert "unreadable, replaced: " in counted.output and "1 samples replaced" in counted.output


def test_missing_files_are_listed_before_anything_starts(arguments, epic, tmp_path) -> None:
    (epic / "videos/P01_01.mkv").unlink()
    result = run(*arguments, "--out", str(tmp_path / "out"))
    assert result.exit_code == 2 and "pictures of video P01_01 (6 collisions)" in result.output
    assert "error: samples are missing; --unreadable replace" in result.output and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--recipe", "mine"], "unknown recipe 'mine'"),
        (["--preset", "mine"], "unknown preset 'mine'"),
        (["--data", "epic_cs3"], "data must be NAME:PATH"),
        (["--data", "kitchen:/nowhere"], "data set must be one of epic_cs3, ego4d_cs3, sim_cs3"),
        (["--batch-size", "7"], "batch_size must be at most the 6 samples"),
        (["--device", "tpu"], "device must be auto, cpu, cuda or cuda:N"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, tmp_path, change, message) -> None:
    result = run(*arguments, "--out", str(tmp_path / "out"), *change)
    assert result.exit_code == 2 and f"error: {message}" in result.output.splitlines()[-1]


def test_a_checkpoint_of_another_recipe_is_refused(arguments, tmp_path) -> None:
    out = tmp_path / "out"
    assert run(*arguments, "--out", str(out), "--steps", "2").exit_code == 0
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(rate=1e-4, dropout=0.0))
    result = run(*arguments, "--out", str(out), "--resume")
    assert result.exit_code == 2
    assert "another run: recipe.learning_rate was 0.001 and is 0.0001; name another --out" in result.output


def test_other_weights_to_build_on_are_another_run(arguments, tmp_path) -> None:
    preset, small, out = tmp_path / "weak.yaml", tmp_path / "small.safetensors", tmp_path / "out"
    preset.write_text(f"parts: {{audio_visual: micro-weak}}\nmicro_weights: {small_weights(small, seed=0)}\n")
    arguments = [*arguments, "--preset", str(preset), "--out", str(out)]
    done = run(*arguments, "--steps", "2")
    assert done.exit_code == 0, done.output
    small_weights(small, seed=1)
    result = run(*arguments, "--resume")
    assert result.exit_code == 2 and "belongs to another run: micro weights was '" in result.output


def test_the_official_rows_with_made_videos(shared_data, make_video, tmp_path) -> None:
    """A dry run of the paper's recipe on the first rows of the published CSV file."""
    lines = shared_data("cs3_annotations/epic_train_filtered.csv").read_text().splitlines()
    rows = [line for line in lines[1:40] if ",P01_01," in line and line.split(",")[4] < "00:01:00"][:4]
    (tmp_path / "epic_train_filtered.csv").write_text("\n".join([lines[0], *rows]) + "\n")
    make_video(tmp_path / "videos/P01_01.mkv", seconds=61.0, fps=5)
    options = ["--preset", "debug", "--recipe", "epic_cs3", "--data", f"epic_cs3:{tmp_path}", "--device", "cpu"]
    result = run(*options, "--out", str(tmp_path / "out"), "--batch-size", str(len(rows)), "--steps", "2")
    assert result.exit_code == 0, result.output
    assert len(rows) == 4 and (tmp_path / "out/audio_weights.safetensors").is_file()
