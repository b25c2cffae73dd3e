"""`cs3 weights`, against a server on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cs3_model.cli import app
from cs3_model.hints import cs3_command
from cs3_model.weights import WEIGHTS
from cs3_model.weights.registry import FOUNDATION
from tests.model.file_server import FileServer, cache, server

__all__ = ["cache", "server"]


def cs3(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["weights", *arguments])


@pytest.fixture(autouse=True)
def one_server(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """All weights are plain files of one server, whose hashes nobody published."""
    server.content = b"tensors"
    for name, weights in WEIGHTS.items():
        local = replace(
            weights, repo="", url=f"{server.url}/{name}", filename=f"{name}.pt", sha256=None, num_bytes=None
        )
        monkeypatch.setitem(WEIGHTS, name, local)
    return server


def test_all_weights_are_listed_with_licence_and_place(cache: Path) -> None:
    cs3("fetch", "hands23")
    lines = cs3("list").output.splitlines()
    assert len(lines) == 1 + len(WEIGHTS)
    assert all(name in line and WEIGHTS[name].licence in line for name, line in zip(WEIGHTS, lines[1:], strict=True))
    assert [str(cache) in line for line in lines].count(True) == 1


def test_without_names_everything_that_foundation_needs_is_fetched(cache: Path) -> None:
    result = cs3("fetch")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.output.splitlines()] == list(FOUNDATION)
    assert {path.stem for path in cache.glob("*.pt")} == set(FOUNDATION)


def test_stored_weights_are_verified(cache: Path) -> None:
    cs3("fetch", "beats", "hands23")
    assert cs3("verify").output.count("sha256 ") == 2
    (cache / "beats.pt").write_bytes(b"other")
    result = cs3("verify")
    assert result.exit_code == 1
    assert (
        "beats.pt is damaged" in result.stderr and f"run: {cs3_command('weights fetch beats --again')}" in result.stderr
    )
    assert result.stdout.startswith("hands23: sha256 ")  # the rest is verified all the same


def test_the_remedy_works(cache: Path) -> None:
    cs3("fetch", "beats")
    (cache / "beats.pt").write_bytes(b"other")
    assert cs3("fetch", "beats", "--again").exit_code == 0
    assert cs3("verify", "beats").exit_code == 0 and (cache / "beats.pt").read_bytes() == b"tensors"


def test_nothing_stored_is_said() -> None:
    result = cs3("verify")
    assert result.exit_code == 1 and result.stderr == f"no weights are stored; run: {cs3_command('weights fetch')}\n"


def test_failures_are_one_line_each(one_server: FileServer) -> None:
    one_server.status = 404
    result = cs3("fetch", "beats", "hands23")
    assert result.exit_code == 1 and result.stdout == ""
    assert [line.split()[1] for line in result.stderr.splitlines()] == ["beats.pt", "hands23.pt"]


def test_without_all_weights_nothing_is_checked() -> None:
    cs3("fetch", "beats")
    result = cs3("check")
    assert result.exit_code == 2 and "not on this machine: clipseg, clip-vocabulary" in result.stderr
    assert f"run: {cs3_command('weights fetch')}" in result.stderr and "beats" not in result.stderr


def test_weights_that_are_none_fail_every_check(one_server: FileServer) -> None:
    """All files are stored and are what was downloaded, but hold nothing: the hashes pass, the networks fail."""
    cs3("fetch")
    result = cs3("check", "--device", "cpu")
    where, *lines = result.stdout.splitlines()
    assert result.exit_code == 1 and len(lines) == len(FOUNDATION) + 6
    assert "on cpu; " in where and ", torch 2" in where and "; commit " in where
    assert [line[:4] for line in lines] == ["ok  "] * len(FOUNDATION) + ["FAIL"] * 6
    assert cs3("check", "--hands-image", "a.jpg").exit_code == 2


def test_unknown_names_are_refused() -> None:
    result = cs3("fetch", "sam9")
    assert result.exit_code == 2 and result.stderr.startswith("error: unknown weights 'sam9'; choose among beats, ")
