"""The dry sound of a simulated scene: what the physics reports becomes impacts and scrapes of acoustic bodies."""

from __future__ import annotations

import numpy as np

from training.simulation.physics.record import PhysicsRecord
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import TABLE
from training.simulation.sound import impact_sound
from training.simulation.sound.bodies import Body, body_of, table_body
from training.simulation.sound.modes import Sound

_SHORT_S = 2.0
_MAX_IMPACTS = 12
"""In a sound of up to `_SHORT_S` the first collision is heard and so many of the strongest, in a longer one all."""


def scene_sound(
    rng: np.random.Generator,
    scene: SimulatedScene,
    record: PhysicsRecord,
    *,
    shift_s: float,
    duration_s: float,
    rate_hz: int,
) -> Sound:
    """Mixes the sound of the collisions and scrapes of a record, without room and background.

    Args:
        rng: Draws what the bodies are like and where they are struck.
        scene: The scene.
        record: What happened.
        shift_s: How much later than simulated it sounds.
        duration_s: Length of the sound.
        rate_hz: Sample rate.

    Returns:
        Samples [T], not scaled.
    """
    held = {plan.item for plan in scene.layout.plans.values() if plan.act != "drop"}
    pairs = [c.objects for c in record.collisions] + [f.objects for f in record.frictions]
    involved = sorted({index for pair in pairs for index in pair})
    bodies: list[Body] = []
    place: dict[int, int] = {}
    for index in involved:
        place[index] = len(bodies)
        if index == TABLE:
            bodies.append(table_body(rng, scene.table.material))
        else:
            shape = scene.layout.items[index].shape
            bodies.append(body_of(rng, shape, held=index in held, standing=index not in held))
    strongest = sorted(record.collisions, key=lambda collision: -collision.impulse)
    if duration_s <= _SHORT_S:
        strongest = list(record.collisions[:1]) + [c for c in strongest[:_MAX_IMPACTS] if c is not record.collisions[0]]
    impacts = [
        impact_sound.Impact(
            bodies=(place[c.objects[0]], place[c.objects[1]]),
            time_s=c.time_s + shift_s,
            impulse=c.impulse,
            closing_speed=c.closing_speed,
        )
        for c in strongest
    ]
    scrapes = [
        impact_sound.Scrape(
            bodies=(place[f.objects[0]], place[f.objects[1]]),
            start_s=f.start_s + shift_s,
            sliding_speed=f.sliding_speed,
        )
        for f in record.frictions
    ]
    return impact_sound.synthesize(rng, bodies, impacts, scrapes, duration_s, rate_hz)
