"""The simulated collision world: physics decides what collides, rendering shows it, synthesis makes its sound.

A sample is fixed by one seed. `dataset.generate` drives the rooms in this order: `scenario` says what shall happen,
`scene` lays a table with `objects` and builds it, `physics` moves the hands and reports what touched, `sound` makes the
audio, `rendering` the pictures and labels, and `dataset` writes it all; `validation` checks it by other means.
`dataset.clips` does the same for whole videos.
"""

import os

# Read when mujoco is first imported: render without a display.
os.environ.setdefault("MUJOCO_GL", "egl")
