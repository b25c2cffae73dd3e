"""The simulated collision world: physics decides what collides, rendering shows it, synthesis makes its sound.

A world sample is fixed by one seed. `generate` drives the modules in this order: `layout` lays a table (`shapes`,
`grasp`, `reach`) and `scene` builds it (`appearance`, `hands`, `arms`, `room`), `script` moves the hands, `contacts`
runs the physics and reports what touched, `impact_sound`, `soundscape` and `hearing` make the audio, `render`, `shots`
and `effects` the pictures, `truth` and `facts` the labels, and `storage` writes it all. `clips` and `performance` do
the same for whole videos.
"""

import os

# Read when mujoco is first imported: render without a display.
os.environ.setdefault("MUJOCO_GL", "egl")
