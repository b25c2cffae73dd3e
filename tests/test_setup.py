"""The promises of the set-up: no ROS below the nodes, pinned and hashed requirements, one version, clear refusals."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)(?: ; .+?)? \\$")
ROS_MODULE = re.compile(
    r"^(rclpy|rcl_interfaces|rosgraph_msgs|rosidl_\w+|ament_\w+|launch(_\w+)?|cv_bridge|cs3_ros|\w+_msgs|\w+_interfaces)$"
)


def pins_of(lock: Path) -> dict[str, set[str]]:
    """Package name -> pinned versions; a package has several where they depend on the Python version."""
    pins: dict[str, set[str]] = {}
    for line in lock.read_text().splitlines():
        if match := PIN.match(line):
            pins.setdefault(match[1], set()).add(match[2])
    return pins


# --- no ROS in cs3_model and training ---


@pytest.fixture(scope="module")
def imported_without_ros() -> dict[str, list[str]]:
    """What went wrong in importing the modules of each package, and the package's file; in one process for both."""
    program = f"""
import importlib, json, pkgutil, re, sys, traceback

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if re.match({ROS_MODULE.pattern!r}, name):
            raise ModuleNotFoundError(f"{{name}} was imported", name=name)

def errors(package):
    found = []
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".", onerror=found.append):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except Exception:
                found.append(traceback.format_exc())
    return found

sys.meta_path.insert(0, NoRos())
packages = [importlib.import_module(name) for name in ("cs3_model", "training")]
print(json.dumps({{package.__name__: [package.__file__, *errors(package)] for package in packages}}))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("package", ["cs3_model", "training"])
def test_every_module_imports_where_ros_is_absent(package, imported_without_ros):
    """Catches what the scan of the sources cannot see: a ROS import by a dependency."""
    file, *errors = imported_without_ros[package]
    assert errors == []
    # sam2 brings a top-level package named `training` as well; ours must win.
    assert Path(file).resolve() == ROOT / package / "__init__.py"


# --- requirements ---


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash_and_no_line_names_an_index(lock):
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    hash_line = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
    assert any(PIN.match(line) for line in lines)
    assert [line for line in lines if not PIN.match(line) and not hash_line.match(line)] == []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if PIN.match(line):
            assert hash_line.match(following), f"{line} has no hash"
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_locked(lock):
    """A name added to an .in file without `make lock` shows here."""
    wanted = lock.with_suffix(".in").read_text()
    names = re.findall(r"^([A-Za-z][\w.-]*)(?:==([^\s;]+))?", wanted, flags=re.MULTILINE)
    pins = pins_of(lock)
    assert names or "-r " in wanted
    assert [(name, version) for name, version in names if version not in ("", *pins.get(name, ()))] == []
    assert [name for name, _ in names if name not in pins] == []


@pytest.mark.parametrize(
    "files",
    [
        ("uv", "colcon", "python", "ros"),
        ("uv", "colcon", "python-numpy1", "ros-jazzy"),
        ("uv", "colcon", "python-numpy1"),
    ],
)
def test_files_that_are_installed_together_agree(files):
    together: dict[str, set[str]] = {}
    for name in sorted(files, key=lambda name: not name.startswith("python")):  # the widest choice of versions first
        for package, versions in pins_of(ROOT / "requirements" / f"{name}.txt").items():
            assert versions <= together.setdefault(package, versions), f"{package} in {name}.txt"


def test_the_second_lock_is_for_numpy_1():
    assert {version.split(".")[0] for version in pins_of(ROOT / "requirements/python-numpy1.txt")["numpy"]} == {"1"}
    assert {version.split(".")[0] for version in pins_of(ROOT / "requirements/python.txt")["numpy"]} == {"2"}


# --- packages ---


def setup_arguments() -> dict[str, ast.expr]:
    calls = [node for node in ast.walk(ast.parse((ROOT / "setup.py").read_text())) if isinstance(node, ast.Call)]
    (call,) = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "setup"]
    return {keyword.arg: keyword.value for keyword in call.keywords}


def test_both_packages_and_setup_py_have_one_version():
    version = ast.literal_eval(setup_arguments()["version"])
    for manifest in ("package.xml", "msg/package.xml"):
        assert ElementTree.parse(ROOT / manifest).findtext("version") == version, manifest


def test_every_console_script_names_a_function_that_exists():
    scripts = ast.literal_eval(setup_arguments()["entry_points"])["console_scripts"]
    for script in scripts:
        module, function = script.split(" = ")[1].split(":")
        path = ROOT / module.replace(".", "/")
        source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        defined = [node.name for node in ast.parse(source.read_text()).body if isinstance(node, ast.FunctionDef)]
        assert function in defined, script


def test_a_build_that_left_the_messages_out_fails_in_one_line_with_the_right_command(tmp_path):
    environment = {**os.environ, "AMENT_PREFIX_PATH": str(tmp_path)}
    command = [sys.executable, str(ROOT / "setup.py"), "build", "--build-base", str(tmp_path / "build")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        f"cs3_ros needs cs3_msgs, which colcon finds only if told: colcon build --base-paths src {ROOT}/msg\n"
    )


# --- the check before the set-up ---


@pytest.fixture
def preflight(tmp_path):
    """Runs scripts/preflight in a machine made of a few tools and, if wanted, a Python that lacks some files."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "env", "uname"):
        (tools / tool).symlink_to(shutil.which(tool))
    for tool in ("cmake", "make", "c++"):  # never run, only looked for
        (tools / tool).symlink_to("/bin/true")

    def run(python=sys._base_executable, mode="pip", without=(), python_home=None):
        for tool in without:
            (tools / tool).unlink()
        environment = {"PATH": str(tools)} | ({"PYTHONHOME": str(python_home)} if python_home else {})
        return subprocess.run(
            [ROOT / "scripts/preflight", str(python), mode], env=environment, capture_output=True, text=True
        )

    return run


@pytest.fixture
def python_home(tmp_path):
    """A copy of the standard library by links, without ensurepip and without headers."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    copy = tmp_path / "home/lib" / name
    copy.mkdir(parents=True)
    for entry in (Path(sys.base_prefix) / "lib" / name).iterdir():
        if entry.name != "ensurepip":
            (copy / entry.name).symlink_to(entry)
    return tmp_path / "home"


def test_preflight_accepts_a_machine_that_has_everything(preflight):
    done = preflight()
    assert done.returncode == 0, done.stderr


def test_preflight_names_the_apt_packages_of_missing_build_tools_in_one_line(preflight):
    done = preflight(without=("cmake", "make", "c++"))
    assert done.returncode == 1
    assert "sudo apt install cmake make g++\n" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_preflight_names_the_apt_packages_of_missing_headers_and_venv(preflight, python_home):
    done = preflight(python_home=python_home)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode == 1
    assert f"sudo apt install {version}-venv {version}-dev\n" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("version", "mode", "accepted"),
    [
        ("3.9", "pip", False),
        ("3.14", "pip", False),
        ("3.9", "ros", False),
        ("3.14", "ros", True),
        ("3.15", "ros", False),
    ],
)
def test_preflight_refuses_a_python_outside_the_supported_range_in_one_line(
    preflight, tmp_path, version, mode, accepted
):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho {version}\n")
    python.chmod(0o755)
    done = preflight(python=python, mode=mode)
    assert (f"is Python {version}, but 3.10 to 3.13 is needed" in done.stderr) is not accepted
    assert accepted or (done.returncode == 1 and len(done.stderr.splitlines()) == 1)


def test_preflight_says_which_python_a_sourced_ros_needs(preflight):
    done = preflight(mode="ros")
    assert done.returncode == 1
    assert "cannot import its rclpy" in done.stderr


def test_preflight_says_that_there_is_no_python(preflight):
    done = preflight(python="python3.12-absent")
    assert done.returncode == 1
    assert "no python3.12-absent found" in done.stderr


# --- the other scripts ---


def test_run_says_what_to_do_where_nothing_is_set_up(tmp_path):
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts/run", tmp_path / "scripts/run")
    done = subprocess.run([script, "true"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Run: make setup" in done.stderr


def test_run_lets_python_keep_its_bytecode(tmp_path):
    """Images of containers forbid it, and every process would compile torch anew."""
    for made in ("scripts", ".venv/bin", "install"):
        (tmp_path / made).mkdir(parents=True)
    script = shutil.copy(ROOT / "scripts/run", tmp_path / "scripts/run")
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / "install/setup.bash").touch()
    command = [script, "bash", "-c", "echo ${PYTHONDONTWRITEBYTECODE-unset}"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    assert subprocess.check_output(command, env=environment, text=True) == "unset\n"


def test_relocation_replaces_both_folders_and_leaves_hard_linked_copies_alone(tmp_path):
    """The installer links files to its cache, which other environments share."""
    foreign = "/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include;/opt/python/cp311-cp311/include/python3.11"
    cached = tmp_path / "cached.cmake"
    cached.write_text(f'set(headers "{foreign}")')
    installed = tmp_path / "venv/share/std_msgs/cmake/export.cmake"
    installed.parent.mkdir(parents=True)
    installed.hardlink_to(cached)

    relocate = runpy.run_path(str(ROOT / "scripts/relocate_ros_wheels.py"))["relocate"]
    assert relocate(tmp_path / "venv") == 1
    include = Path(installed.read_text().removeprefix('set(headers "').removesuffix('")').split(";")[1])
    assert (include / "Python.h").is_file()
    assert f'set(headers "{np.get_include()};' in installed.read_text()
    assert foreign in cached.read_text()
    assert relocate(tmp_path / "venv") == 0
