"""The simulated collision world: physics decides what collides, rendering shows it, synthesis makes its sound.

A world sample is fixed by one seed. `generate` drives the modules in this order: `scene` lays a table (`shapes`,
`appearance`, `hands`), `script` moves the hands, `contacts` runs the physics and reports what touched, `impact_sound`
and `soundscape` make the audio, `render` and `camera` the frames, `truth` the labels, and `storage` writes it all.
"""

import os

# Read when mujoco is first imported: render without a display.
os.environ.setdefault("MUJOCO_GL", "egl")
