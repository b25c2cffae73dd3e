"""Weight files on this machine: finding, downloading and checking them.

Files of Hugging Face repositories live in the Hugging Face cache, as `huggingface_hub` keeps it. Files from plain
addresses, recorded hashes and converted files live in `cache_folder`. A file that was put at its `own_path` by hand is
used like a downloaded one. Nothing is ever written to the working directory.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import httpx
from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import WeakFileLock

from cs3_model.files import INCOMPLETE, write_whole
from cs3_model.hints import cs3_command
from cs3_model.weights.download_failure import failure_reason, is_full_disk, is_offline, may_pass
from cs3_model.weights.registry import WeightFile

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_SNIFFED_BYTES = 256
_RANGE_NOT_SATISFIABLE = 416


def cache_folder() -> Path:
    """The folder of this project in the user's cache: `$CS3_CACHE`, or `~/.cache/cs3`."""
    return Path(os.environ.get("CS3_CACHE") or Path.home() / ".cache" / "cs3")


def own_path(weights: WeightFile) -> Path:
    """Where a file lies that does not come from a Hugging Face repository: one of a plain address or of a mirror, or put
    there by hand. Names of files of repositories are too common to stand alone."""
    folder = cache_folder() / weights.name if weights.repo or weights.home else cache_folder()
    return folder / weights.filename


def stored_path(weights: WeightFile) -> Path | None:
    """Where the file is on this machine; None if it is not."""
    if (path := own_path(weights)).is_file():
        return path
    if weights.url:
        return None
    found = try_to_load_from_cache(weights.repo, weights.filename, revision=weights.revision)
    return Path(found) if isinstance(found, str) else None


def fetch(weights: WeightFile, *, mirror: str = "") -> Path:
    """Returns where the file is, after downloading it if it is not on this machine.

    Args:
        weights: The file.
        mirror: Address of a folder that holds it under its published name; empty: where it is published.

    An interrupted download goes on where it stopped. A file is never seen under its name before it is complete and,
    where its hash is known, checked. With `HF_HUB_OFFLINE=1` nothing is downloaded.

    Raises:
        ValueError: if it cannot be downloaded or is not the file that was expected: one line that names the file, the
            reason and the command to try next.
    """
    if (path := stored_path(weights)) is not None:
        return path
    if mirror:
        weights = weights.from_mirror(mirror)
    logger.info("downloading %s (%s) from %s", weights.filename, weights.size, weights.source)
    try:
        path = _download_from_url(weights) if weights.url else _download_from_hub(weights)
    except (OSError, httpx.HTTPError, HfHubHTTPError) as error:
        raise ValueError(
            f"{weights.filename} could not be downloaded from {weights.source}: {failure_reason(error)}; "
            f"{_remedy(weights, error)}"
        ) from None
    if expected_sha256(weights) is None:
        write_whole(_record_path(weights), f"{_sha256(path)}  {weights.filename}\n".encode())
    return path


def verify(weights: WeightFile) -> str:
    """Checks the stored file against its hash, and returns that hash.

    Raises:
        ValueError: if it is not stored, or differs.
    """
    path = stored_path(weights)
    if path is None:
        command = cs3_command(f"weights fetch {weights.name}")
        raise ValueError(f"{weights.filename} is not on this machine; run: {command}")
    return _check(weights, path)


def remove(weights: WeightFile) -> None:
    """Forgets the stored file, its recorded hash and its converted copy, so that `fetch` downloads it anew."""
    if (path := stored_path(weights)) is not None:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
    _record_path(weights).unlink(missing_ok=True)
    converted_path(weights).unlink(missing_ok=True)


def fetch_again(weights: WeightFile) -> str:
    """The command that replaces a bad file."""
    return cs3_command(f"weights fetch {weights.name} --again")


def converted_path(weights: WeightFile) -> Path:
    """Where `cs3_model.weights.checkpoint` keeps the same tensors as safetensors."""
    return cache_folder() / "converted" / f"{weights.name}.safetensors"


def expected_sha256(weights: WeightFile) -> str | None:
    """The published hash, or else the recorded one of the first download; None if there is neither."""
    if weights.sha256 or not _record_path(weights).is_file():
        return weights.sha256
    return _record_path(weights).read_text(encoding="ascii").split()[0]


def _download_from_hub(weights: WeightFile) -> Path:
    path = Path(hf_hub_download(weights.repo, weights.filename, revision=weights.revision))
    try:
        _check_download(weights, path)
    except ValueError:
        remove(weights)
        raise
    return path


def _download_from_url(weights: WeightFile) -> Path:
    target = own_path(weights)
    partial = target.with_name(f"{target.name}{INCOMPLETE}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(target.with_name(f"{target.name}.lock")):
        if target.is_file():  # another process was faster
            return target
        try:
            _append_rest(weights, partial)
        except HfHubHTTPError as error:
            if error.response.status_code != _RANGE_NOT_SATISFIABLE:
                raise
            partial.unlink()  # longer than the file on the server: it is of another version
            _append_rest(weights, partial)
        try:
            _check_download(weights, partial)
        except ValueError:
            partial.unlink()
            raise
        partial.replace(target)
    return target


def _append_rest(weights: WeightFile, partial: Path) -> None:
    with partial.open("ab") as file:
        http_get(weights.url, file, resume_size=file.tell(), displayed_filename=weights.filename)


def _check_download(weights: WeightFile, path: Path) -> None:
    """Raises ValueError if what was sent cannot be the file, also where no hash of it is known."""
    with path.open("rb") as file:
        is_page = file.read(_SNIFFED_BYTES).lstrip().startswith(b"<")
    if is_page:
        question = "does this network ask for a sign-in?"
        raise ValueError(
            f"{weights.source} sent a web page instead of {weights.filename}: {question} {_by_hand(weights)}"
        )
    if weights.num_bytes not in (None, path.stat().st_size):
        raise ValueError(
            f"{weights.source} sent {path.stat().st_size:,} bytes instead of {weights.size}; {_by_hand(weights)}"
        )
    _check(weights, path)


def _check(weights: WeightFile, path: Path) -> str:
    """Returns the file's hash; raises ValueError if it is not the expected one."""
    found, expected = _sha256(path), expected_sha256(weights)
    if expected not in (None, found):
        raise ValueError(
            f"{path} is damaged or another file: its SHA-256 is {found}, expected {expected}; "
            f"run: {fetch_again(weights)}"
        )
    return found


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _record_path(weights: WeightFile) -> Path:
    return cache_folder() / f"{weights.name}.sha256"


def _remedy(weights: WeightFile, error: Exception) -> str:
    again = f"run: {cs3_command(f'weights fetch {weights.name}')}"
    if is_offline(error):
        return f"unset it, then {again}"
    if is_full_disk(error):
        return f"free some space, or set CS3_CACHE and HF_HOME to folders on another disk, then {again}"
    if may_pass(error):
        return f"later {again}, which goes on where it stopped; or {_by_hand(weights)}"
    return _by_hand(weights)


def _by_hand(weights: WeightFile) -> str:
    """How to do without this program's download."""
    path = own_path(weights)
    command = f"mkdir -p {path.parent} && curl -fL -C - -o {path} {weights.source}"
    return f"get the file in another way and save it as {path} ({weights.size}), for instance: {command}"
