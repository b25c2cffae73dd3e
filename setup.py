import os
import sys
from pathlib import Path

from setuptools import find_packages, setup

package_name = "cs3_ros"

# colcon looks for no package inside another, so a plain `colcon build` would leave cs3_msgs out, report success, and the
# nodes would die at their first import. Where colcon builds, its environment names the packages that are there already.
prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
is_build = (
    {"build", "install", "develop"} & set(sys.argv) and "--uninstall" not in sys.argv and "--help" not in sys.argv
)
if is_build and any(prefixes) and not any(Path(prefix, "share/cs3_msgs/package.xml").is_file() for prefix in prefixes):
    root = Path(__file__).resolve().parent
    sys.exit(f"cs3_ros needs cs3_msgs, which colcon finds only if told: colcon build --base-paths src {root}/msg")


setup(
    name=package_name,
    version="0.1.0",
    description="Segments the objects that make a sound by hitting each other, from one camera and one microphone.",
    maintainer="CS3 developers",
    maintainer_email="cs3@example.org",
    license="Apache-2.0",
    python_requires=">=3.10",
    install_requires=["setuptools"],
    # Not training: it runs from the checkout, and another wheel has a top-level package of this name.
    packages=find_packages(include=["cs3_model*", "cs3_ros*"]),
    package_data={
        "cs3_model": ["py.typed", "presets/*"],
        "cs3_ros": ["py.typed", "demo_bag/*", "replay/reporting/report.html"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        (f"share/{package_name}/launch", sorted(map(str, Path("launch").glob("*.launch.py")))),
        (f"share/{package_name}/config", sorted(map(str, Path("config").glob("*")))),
    ],
    zip_safe=False,
    # The name "test" is where colcon looks to see that the tests are for pytest.
    extras_require={
        "test": ["pytest"],
        "cluster": ["submitit"],
        "rerun": ["rerun-sdk>=0.23"],
        "mcp": ["mcp>=2"],
    },
    entry_points={
        "console_scripts": [
            "perception = cs3_ros.entry:perception",
            "microphone = cs3_ros.entry:microphone",
            "locator = cs3_ros.entry:locator",
            "tracker = cs3_ros.entry:tracker",
            "bringup = cs3_ros.bringup.command:main",
            "bag_player = cs3_ros.entry:bag_player",
            "rerun_viewer = cs3_ros.entry:rerun_viewer",
            "evaluate_bag = cs3_ros.evaluate_bag:main",
            "video_to_bag = cs3_ros.bags.video_to_bag:main",
            "cs3 = cs3_model.cli:main",
        ]
    },
)
