"""Files and folders appear whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cs3_model.files import file_digest, write_whole, written_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_under_its_name_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with written_whole(path) as hidden:
        hidden.write_text("half")
        assert not path.exists() and hidden.name.startswith(".")
        hidden.write_text("whole")
    assert path.read_text() == "whole" and names(path.parent) == ["a.txt"]


def test_a_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    with written_whole(tmp_path / "made") as hidden:
        hidden.mkdir()
        (hidden / "one").write_text("1")
        (hidden / "two").write_text("2")
    assert names(tmp_path) == ["made"] and names(tmp_path / "made") == ["one", "two"]


@pytest.mark.parametrize("error", [ValueError("bad sample"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_failure_leaves_what_was_there_before_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(type(error)), written_whole(path) as hidden:
        hidden.write_text("half")
        raise error
    assert path.read_text() == "before" and names(tmp_path) == ["a.txt"]


def test_a_failed_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad sample"), written_whole(tmp_path / "made") as hidden:
        (hidden / "frames").mkdir(parents=True)
        raise ValueError("bad sample")
    assert names(tmp_path) == []


def test_a_folder_never_replaces_one_that_holds_files(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "old").write_text("old")
    with pytest.raises(OSError), written_whole(tmp_path / "made") as hidden:
        hidden.mkdir()
    assert names(tmp_path) == ["made"] and names(tmp_path / "made") == ["old"]


def test_what_cannot_be_written_is_one_line_with_file_and_reason(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ValueError) as refusal:
        write_whole(tmp_path / "taken", b"x" * 300_000)
    assert str(refusal.value) == f"{tmp_path / 'taken'} cannot be written (0.3 MB): Is a directory"
    assert names(tmp_path) == ["taken"]


def test_the_digest_is_the_start_of_the_sha256(tmp_path: Path) -> None:
    write_whole(tmp_path / "weights", memoryview(b"abc"))
    assert file_digest(tmp_path / "weights") == hashlib.sha256(b"abc").hexdigest()[:16] == "ba7816bf8f01cfea"
