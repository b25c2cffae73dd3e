"""Where a figure comes from: the commit of the source, the machine, the versions of what computes."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_DISTRIBUTION = "cs3_ros"


def source_commit() -> str:
    """The abbreviated commit of the checkout, with "-dirty" if tracked files differ from it.

    Where the package runs from an installation, without a repository: "version 0.1.0", or "version unknown".
    """
    # Git would look for a repository in all folders above an installation, and find somebody else's.
    if (_ROOT / ".git").exists():
        command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude=*"]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            pass  # no git on this machine, or a repository of another user
    return f"version {_version(_DISTRIBUTION) or 'unknown'}"


def machine() -> str:
    """One line: processor, number of cores that this process may use, the instructions PyTorch uses, and the GPU.

    For example "AMD EPYC 9B14, 2 cores, AVX512" or "Intel(R) Xeon(R) Platinum 8481C, 16 cores, AVX512, NVIDIA H200".
    """
    import torch  # here, because what only asks for the commit should not wait for it

    cores = len(os.sched_getaffinity(0))
    parts = [_processor(), f"{cores} core{'s' if cores > 1 else ''}", torch.backends.cpu.get_cpu_capability()]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def package_versions(*packages: str) -> dict[str, str]:
    """Version of Python, as "python", and of each of these distributions that is installed."""
    found = {name: _version(name) for name in packages}
    return {"python": platform.python_version()} | {name: version for name, version in found.items() if version}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
