"""The simulated collision world: physics decides what collides, rendering shows it, synthesis makes its sound.

A sample is fixed by one seed. `dataset.scene_samples` drives the packages in this order, in which alone they import
each other: `scenario` says what shall happen, `scene` lays a table with `objects` and builds it, `physics` moves the
hands and records what touches, `sound` makes the audio, `rendering` the pictures and labels, and `dataset` writes it
all; `validation` checks it by other means. `dataset.clips` does the same for whole videos, and `command` is the command
line.
"""

import os

# Read when mujoco is first imported: render without a display.
os.environ.setdefault("MUJOCO_GL", "egl")
