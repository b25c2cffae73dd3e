"""Getting weight files from servers that work, fail, break off and lie."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from cs3_model.weights import WeightFile, fetch, stored_path, verify
from cs3_model.weights.store import expected_sha256, own_path, remove

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def plain(server) -> WeightFile:
    """A file at a plain address."""
    server.content = CONTENT
    return WeightFile(name="plain", filename="plain.pth", licence="MIT", megabytes=1, url=f"{server.url}/plain.pth")


@pytest.fixture
def of_hub(hub) -> WeightFile:
    """A file of a repository."""
    hub.content = CONTENT
    return WeightFile(name="hub", filename="hub.pt", licence="MIT", megabytes=1, repo="someone/something")


def failure(weights: WeightFile) -> str:
    with pytest.raises(ValueError) as error:
        fetch(weights)
    message = str(error.value)
    assert "\n" not in message and weights.filename in message
    assert f"cs3 weights fetch {weights.name}" in message or "save it as" in message
    if "save it as" in message:
        assert f"save it as {own_path(weights)} ({weights.size})" in message
        assert f"curl -fL -C - -o {own_path(weights)} {weights.source}" in message
    return message


@pytest.mark.parametrize("kind", ["plain", "of_hub"])
def test_a_file_is_downloaded_once(kind: str, server, request) -> None:
    weights = request.getfixturevalue(kind)
    assert stored_path(weights) is None
    assert fetch(weights).read_bytes() == CONTENT
    num_requests = len(server.requests)
    assert fetch(weights) == stored_path(weights) and len(server.requests) == num_requests


def test_nothing_is_left_beside_a_complete_file(plain, cache: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    fetch(plain)
    assert {path.name for path in cache.iterdir()} - {"plain.pth.lock"} == {"plain.pth", "plain.sha256"}
    assert not list((tmp_path / "work").iterdir())


def test_a_download_that_was_interrupted_goes_on(plain, server, cache: Path) -> None:
    cache.mkdir()
    (cache / "plain.pth.incomplete").write_bytes(CONTENT[:100_000])
    assert fetch(plain).read_bytes() == CONTENT
    assert server.requests == ["GET bytes=100000-"]


def test_a_connection_that_breaks_is_taken_up_again(plain, server, impatient, monkeypatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    server.cut_after = 70_000
    assert fetch(plain).read_bytes() == CONTENT
    assert server.requests == ["GET", "GET bytes=70000-"]


def test_a_server_that_cannot_resume_sends_all_again(plain, server, cache: Path) -> None:
    server.ranges = False
    cache.mkdir()
    (cache / "plain.pth.incomplete").write_bytes(b"x" * 100_000)
    assert fetch(plain).read_bytes() == CONTENT


def test_a_remainder_longer_than_the_file_is_dropped(plain, cache: Path) -> None:
    cache.mkdir()
    (cache / "plain.pth.incomplete").write_bytes(b"x" * len(CONTENT))
    assert fetch(plain).read_bytes() == CONTENT


def test_a_process_that_is_killed_leaves_what_the_next_one_uses(plain, server, cache: Path) -> None:
    """The first process stops at the lowest file size that its limit allows, without any clean-up."""
    script = (
        "import os, sys; from cs3_model.weights import WeightFile, fetch; import cs3_model.weights.store as store\n"
        "store._check = lambda *_: os._exit(9)\n"
        f"fetch(WeightFile(name='plain', filename='plain.pth', licence='', megabytes=1, url='{plain.url}'))"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 9
    assert stored_path(plain) is None and (cache / "plain.pth.incomplete").stat().st_size == len(CONTENT)
    assert fetch(plain).read_bytes() == CONTENT


def test_two_at_once_download_once(plain, server) -> None:
    threads = [threading.Thread(target=fetch, args=[plain]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.requests == ["GET"] and verify(plain) == SHA256


@pytest.mark.parametrize("kind", ["plain", "of_hub"])
@pytest.mark.parametrize(("status", "reason"), [(404, "404 Not Found"), (500, "500 Internal Server Error")])
def test_a_refusal_is_quoted(kind: str, status: int, reason: str, server, impatient, request) -> None:
    weights = request.getfixturevalue(kind)
    server.status = status
    assert f"the server answered {reason}" in failure(weights)


def test_a_file_that_is_gone_can_be_put_there_by_hand(plain, server, cache: Path) -> None:
    server.status = 404
    message = failure(plain)
    assert "cs3 weights fetch" not in message  # it would fail again
    place = Path(message.split("save it as ")[1].split(" ")[0])
    place.write_bytes(CONTENT)
    assert fetch(plain) == place and verify(plain) == SHA256


def test_no_network(plain, impatient) -> None:
    assert "the connection failed" in failure(replace(plain, url="http://127.0.0.1:1/plain.pth"))


def test_no_network_for_a_repository(impatient) -> None:
    weights = WeightFile(name="hub", filename="hub.pt", licence="MIT", megabytes=1, repo="someone/something")
    assert "the connection failed" in failure(weights)


@pytest.mark.parametrize("kind", ["plain", "of_hub"])
def test_offline_mode_uses_what_is_stored_and_downloads_nothing(kind: str, server, request, monkeypatch) -> None:
    weights = request.getfixturevalue(kind)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "offline mode is on" in failure(weights)
    assert server.requests == []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    stored = fetch(weights)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch(weights) == stored


def test_a_server_that_is_busy_leaves_what_was_downloaded_before(plain, cache, server) -> None:
    """The remainder is neither lost nor taken for the file."""
    server.status = 503
    cache.mkdir()
    (cache / "plain.pth.incomplete").write_bytes(CONTENT[:1000])
    failure(plain)
    assert stored_path(plain) is None and (cache / "plain.pth.incomplete").read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("kind", ["plain", "of_hub"])
def test_a_file_with_another_hash_is_not_kept(kind: str, request) -> None:
    weights = replace(request.getfixturevalue(kind), sha256="0" * 64)
    assert f"SHA-256 is {SHA256}, expected {'0' * 64}" in failure(weights)
    assert stored_path(weights) is None


def test_a_published_hash_is_accepted(plain) -> None:
    assert verify_after_fetch(replace(plain, sha256=SHA256)) == SHA256


def verify_after_fetch(weights: WeightFile) -> str:
    fetch(weights)
    return verify(weights)


def test_the_first_download_records_its_hash_and_later_changes_are_noticed(plain, cache: Path) -> None:
    path = fetch(plain)
    assert (cache / "plain.sha256").read_text() == f"{SHA256}  plain.pth\n"
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(
        ValueError, match=r"plain.pth is damaged or another file.*run: .*cs3 weights fetch plain --again"
    ):
        verify(plain)


@pytest.mark.parametrize("kind", ["plain", "of_hub"])
def test_what_was_removed_is_downloaded_anew(kind: str, server, request) -> None:
    weights = request.getfixturevalue(kind)
    fetch(weights).write_bytes(b"junk")
    server.content = b"a new version"
    remove(weights)
    assert stored_path(weights) is None and expected_sha256(weights) is None
    assert fetch(weights).read_bytes() == b"a new version"


def test_a_file_put_there_by_hand_is_used(plain, server, cache: Path) -> None:
    cache.mkdir()
    (cache / "plain.pth").write_bytes(CONTENT)
    assert verify_after_fetch(plain) == SHA256 and server.requests == []


def test_a_missing_file_is_not_verified(plain) -> None:
    with pytest.raises(ValueError, match=r"plain.pth is not on this machine; run: .*cs3 weights fetch plain$"):
        verify(plain)


def test_a_full_disk_is_said_and_the_download_goes_on_later(plain, server, cache: Path) -> None:
    """The limit of a file's size, which fails like a full disk, is that of a process of its own."""
    script = (
        "from cs3_model.weights import WeightFile, fetch\n"
        f"fetch(WeightFile(name='plain', filename='plain.pth', licence='', megabytes=1, url='{plain.url}'))"
    )
    limited = subprocess.run(
        [sys.executable, "-c", script],
        timeout=60,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    last_line = limited.stderr.splitlines()[-1]
    assert "plain.pth could not be downloaded" in last_line and "the disk is full" in last_line
    assert "free some space" in last_line
    assert fetch(plain).read_bytes() == CONTENT
    assert server.requests[-1] == "GET bytes=100000-"


def test_a_source_is_a_repository_or_an_address() -> None:
    with pytest.raises(ValueError, match="either a repo or a url"):
        WeightFile(name="x", filename="x", licence="", megabytes=1)
