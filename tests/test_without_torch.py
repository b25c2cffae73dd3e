"""`scripts/without_torch`: the lock for machines that bring their own PyTorch names all else, and nothing of PyTorch's."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
BROUGHT = {"torch", "torchvision", "torchaudio"}


def names(lock: str) -> set[str]:
    return {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9][\w.-]*)==", lock, re.MULTILINE)}


def without_torch(lock: str) -> str:
    return subprocess.run(["scripts/without_torch", lock], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def needed(roots: set[str]) -> set[str]:
    """What packages need on this machine and Python, themselves included, through all but PyTorch's own."""
    found: set[str] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in BROUGHT or (name in found and not requirement.extras):
            continue
        found.add(name)
        try:
            further = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:  # not for this Python or this machine
            continue
        extras = requirement.extras or {""}
        waiting += [
            other
            for other in further
            if other.marker is None or any(other.marker.evaluate({"extra": extra}) for extra in extras)
        ]
    return found


@pytest.mark.parametrize("lock", ["python", "python-numpy1"])
def test_nothing_is_left_out_but_pytorch_and_what_it_alone_needs(lock: str) -> None:
    whole = (ROOT / "requirements" / f"{lock}.txt").read_text()
    left, left_out = names(without_torch(lock)), names(whole) - names(without_torch(lock))
    assert left_out > BROUGHT and left < names(whole)
    of_torch = re.compile(r"torch|torchvision|torchaudio|triton|(nvidia|cuda)-.+")
    assert not [name for name in left_out if not of_torch.fullmatch(name)]
    roots = {line.partition("#")[0].strip() for line in (ROOT / "requirements/python.in").read_text().splitlines()}
    assert not needed(roots - {""}) & left_out, "some other package needs it"


def test_every_line_that_is_left_has_its_hashes() -> None:
    entries = re.split(r"(?m)^(?=[a-z])", without_torch("python"))[1:]
    assert len(entries) > 50
    assert not [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]
