"""Impacts as they are made beside impacts as they are recorded: brightness, decay and attack by material.

    python -m training.micro.audio.impact_features recordings_by_material --plot docs/images/impact_features.png

Prints a table and draws a plot. Each made sound is one blow in a room, without noise and device.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cs3_model.command_errors import one_line_errors
from cs3_model.types import MODEL_SAMPLE_RATE_HZ as RATE_HZ
from training.data.samples import SampleError
from training.micro.audio.audio_hits import MATERIAL_NAMES
from training.micro.audio.drawn_collisions import world_collision
from training.micro.audio.sound_folders import BEFORE_S, list_sounds, read_onset_window
from training.simulation.objects.materials import HAND_PARTS
from training.simulation.sound.bodies import large_body, striker_body
from training.simulation.sound.impact_sound import Impact, Manner, synthesize
from training.simulation.sound.modes import Sound
from training.simulation.sound.soundscape import draw_room, reverberate

_SPECTRUM_S, _BRIGHT_HZ, _ENVELOPE_S, _ATTACK_S = 0.03, 3000.0, 0.001, 0.05
_ONSET_S, _LENGTH_S = 0.5, 1.5


class Features(NamedTuple):
    """What tells impacts apart without a network."""

    centroid_hz: float
    """Mean frequency of the first 30 ms, by power."""
    bright_db: float
    """Share of their energy above 3 kHz."""
    fall_ms: float
    """Time after which a tenth of the energy is left."""
    attack_ms: float
    """From a tenth of the highest level of 1 ms to that level, in the first 50 ms."""


KNOCKS = {
    "knocks on wood": Features(1810.0, -13.7, 53.0, np.nan),
    "knocks on ceramic": Features(2420.0, -4.6, 85.0, np.nan),
    "knocks on marble": Features(5910.0, -0.1, 70.0, np.nan),
}
"""Medians of 100 recordings each, measured in the same way."""


def features_of(sound: Sound, onset: int) -> Features:
    """Features of a sound [T] at 16 kHz from the sample of its onset on."""
    start = sound[onset : onset + round(_SPECTRUM_S * RATE_HZ)]
    power = np.abs(np.fft.rfft(start, 1024)) ** 2
    frequency = np.fft.rfftfreq(1024, 1.0 / RATE_HZ)
    left = np.cumsum(sound[onset : onset + RATE_HZ][::-1] ** 2)[::-1]
    hop = round(_ENVELOPE_S * RATE_HZ)
    attack = sound[max(onset - 2 * hop, 0) : onset + round(_ATTACK_S * RATE_HZ)]
    level = np.sqrt((attack[: len(attack) // hop * hop].reshape(-1, hop) ** 2).mean(axis=1))
    peak = int(level.argmax())
    low = np.flatnonzero(level[: peak + 1] < 0.1 * level[peak])
    return Features(
        centroid_hz=float((power * frequency).sum() / power.sum()),
        bright_db=float(10 * np.log10(power[frequency > _BRIGHT_HZ].sum() / power.sum() + 1e-9)),
        fall_ms=float(np.argmax(left < 0.1 * left[0])) / RATE_HZ * 1e3,
        attack_ms=float(peak - (low[-1] if len(low) else 0)) * _ENVELOPE_S * 1e3,
    )


def features_of_collision(index: int, manner: Manner) -> tuple[Features, set[str]]:
    """Features of a collision of the world, and the materials that take part."""
    rng = np.random.default_rng([23, index])
    collision = world_collision(rng, _ONSET_S)
    sound = synthesize(rng, collision.bodies, collision.impacts[:1], [], _LENGTH_S, RATE_HZ, manner)
    return _in_a_room(rng, sound), set(collision.materials)


def features_of_knock(index: int) -> tuple[Features, set[str]]:
    """Features of a part of a hand that strikes something large, and the material of that."""
    rng = np.random.default_rng([24, index])
    bodies = [striker_body(rng, list(HAND_PARTS)[index % len(HAND_PARTS)]), large_body(rng)]
    blow = Impact(bodies=(0, 1), time_s=_ONSET_S, impulse=0.02, closing_speed=float(rng.uniform(0.2, 2.0)))
    return _in_a_room(rng, synthesize(rng, bodies, [blow], [], _LENGTH_S, RATE_HZ)), {bodies[1].material}


def _in_a_room(rng: np.random.Generator, dry: Sound) -> Features:
    return features_of(reverberate(dry, draw_room(rng, RATE_HZ)), round(_ONSET_S * RATE_HZ))


def by_material(count: int, made: Callable[[int], tuple[Features, set[str]]]) -> dict[str, list[Features]]:
    """Features of `count` made sounds, for each material that takes part."""
    found: dict[str, list[Features]] = {name: [] for name in MATERIAL_NAMES}
    for index in range(count):
        features, materials = made(index)
        for name in materials:
            found[name].append(features)
    return found


def recorded(folder: Path) -> dict[str, list[Features]]:
    """Features of recordings, by material.

    Raises:
        ValueError: if there are none.
        SampleError: if a file cannot be read.
    """
    found: dict[str, list[Features]] = {name: [] for name in MATERIAL_NAMES}
    for path, material in list_sounds(folder):
        window = read_onset_window(path).astype(np.float64)
        found[material].append(features_of(window, round(BEFORE_S * RATE_HZ)))
    return found


def row_of(name: str, features: list[Features]) -> str:
    """A row of the table: medians, and 10th to 90th percentile of the centroid."""
    middle = Features(*np.median(np.array(features), axis=0))
    low, high = np.percentile([one.centroid_hz for one in features], [10, 90])
    return (
        f"| {name} | {len(features)} | {middle.centroid_hz:.0f} Hz ({low:.0f}-{high:.0f}) | {middle.bright_db:.1f} dB "
        f"| {middle.fall_ms:.0f} ms | {middle.attack_ms:.0f} ms |"
    )


def table(groups: dict[str, dict[str, list[Features]]]) -> str:
    """Markdown of all groups, material by material."""
    lines = ["| sounds | n | centroid | above 3 kHz | -10 dB | attack |", "|---|---|---|---|---|---|"]
    for material in MATERIAL_NAMES:
        lines += [row_of(f"{material}, {name}", group[material]) for name, group in groups.items() if group[material]]
    for name, one in KNOCKS.items():
        lines.append(
            f"| {name}, recorded | 100 | {one.centroid_hz:.0f} Hz | {one.bright_db} dB | {one.fall_ms:.0f} ms | - |"
        )
    return "\n".join(lines)


def draw(groups: dict[str, dict[str, list[Features]]], path: Path) -> None:
    """One panel per feature, the materials side by side; bars from the 10th to the 90th percentile."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    titles = ("centroid, Hz", "energy above 3 kHz, dB", "time to -10 dB, ms", "attack, ms")
    for column, (axes, title) in enumerate(zip(figure.subplots(2, 2).flat, titles, strict=True)):
        for shift, (name, group) in enumerate(groups.items()):
            known = [(k, np.array(group[m])[:, column]) for k, m in enumerate(MATERIAL_NAMES) if group[m]]
            places = [k + 0.18 * (shift - 1.5) for k, _ in known]
            low, middle, high = np.array([np.percentile(values, [10, 50, 90]) for _, values in known]).T
            axes.errorbar(places, middle, [middle - low, high - middle], fmt="o", markersize=4, label=name)
        for place, one in zip((3, 1), (KNOCKS["knocks on wood"], KNOCKS["knocks on ceramic"]), strict=True):
            axes.plot(place + 0.4, one[column], "k*", label="knocks, recorded (median of 100)" if place == 1 else None)
        axes.set_xticks(range(len(MATERIAL_NAMES)), MATERIAL_NAMES)
        axes.set_title(title)
        if column in (0, 2, 3):
            axes.set_yscale("log")
    figure.axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=80)


def main(
    sounds: Annotated[Path, typer.Argument(help="Folder with a folder of recordings per material.")],
    plot: Annotated[Path, typer.Option(help="Picture to write.")] = Path("impact_features.png"),
    count: Annotated[int, typer.Option(min=10, help="Sounds to make of each kind.")] = 500,
) -> None:
    """Compare made and recorded impacts."""
    with one_line_errors(status=2, kinds=(ValueError, OSError, SampleError)):
        groups = {
            "plain": by_material(count, lambda index: features_of_collision(index, Manner.PLAIN)),
            "measured": by_material(count, lambda index: features_of_collision(index, Manner.MEASURED)),
            "by hand": by_material(count, features_of_knock),
            "recorded": recorded(sounds),
        }
        typer.echo(table(groups))
        draw(groups, plot)


if __name__ == "__main__":
    typer.run(main)
