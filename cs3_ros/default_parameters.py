"""config/perception.yaml: the one place where the defaults of the perception node's parameters live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

PARAMETERS_OF_RCLPY = ("use_sim_time", "start_type_description_service")
"""What every node has."""
OVERRIDES_OF_QOS = "qos_overrides."
"""How the names begin of what rclpy declares for topics."""


def default_config_path() -> Path:
    """The installed config/perception.yaml, or that of the source tree.

    Raises:
        FileNotFoundError: if there is neither.
    """
    source = Path(__file__).resolve().parents[1] / "config" / "perception.yaml"
    try:
        installed = Path(get_package_share_directory("cs3_ros")) / "config" / "perception.yaml"
    except PackageNotFoundError:
        installed = source
    for path in (installed, source):
        if path.is_file():
            return path
    raise FileNotFoundError(f"the package's defaults are missing: {installed}; rebuild with colcon")


def default_values() -> dict[str, Any]:
    """The default of every parameter by name."""
    return yaml.safe_load(default_config_path().read_text(encoding="utf-8"))["/**"]["ros__parameters"]
