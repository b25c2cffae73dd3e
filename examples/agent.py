"""An agent that acts on what it hears: prints a sentence per collision, and keeps the picture of each object.

    scripts/run python examples/agent.py --image /image/compressed --out out/agent

Needs a running perception node, for instance of `ros2 launch cs3_ros perception.launch.py bag:=my_bag`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cs3_model.picture_files import write_picture
from cs3_ros.client import Collision, CollisionClient, PerceptionError


def observation(collision: Collision) -> str:
    """What a language model gets to read about one collision."""
    sentence = collision.describe()
    if not collision.trained:
        return f"{sentence} Do not act on it."
    return sentence


def keep_pictures(collision: Collision, folder: Path) -> None:
    """Writes the image crop of each object, what is not the object darkened."""
    for number, item in enumerate(collision.objects):
        if item.image_crop is None:
            continue
        crop = item.image_crop.copy()
        crop[~item.mask_crop] //= 4
        name = f"{collision.onset_ns}_{number}_{'_'.join(item.roles).replace(' ', '-')}.png"
        write_picture(folder / name, crop)


def main() -> int:
    """Runs until no collision comes for a minute; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--node", default="perception", help="name of the perception node (default perception)")
    parser.add_argument("--namespace", default="/", help="its namespace (default /)")
    parser.add_argument("--image", help="topic of the camera, for pictures of the objects")
    parser.add_argument("--out", type=Path, default=Path("out/agent"), help="folder for them (default out/agent)")
    parser.add_argument("--timeout", type=float, default=60.0, help="give up after this silence, seconds (default 60)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        with CollisionClient(arguments.node, arguments.namespace, image=arguments.image) as client:
            for collision in client.listen(timeout=arguments.timeout):
                print(observation(collision), flush=True)
                keep_pictures(collision, arguments.out)
    except (PerceptionError, ValueError) as error:
        print(f"agent: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
