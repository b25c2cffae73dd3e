"""Impact sounds without physics or pictures: a hundred thousand labelled sounds cost minutes, not a day.

    python -m training.micro.audio.audio_hits out/hits --count 50000

A hit has what a sample of Sim-CS3 has (scenario, objects, materials, grips, room, background, distraction), drawn by
the same functions; only the speeds and the bounces, which the physics gives there, are drawn from what it gave in 500
scenes. The pairs of materials kept for the held-out test do not occur.
"""

from __future__ import annotations

import io
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from tqdm import tqdm

from cs3_model.command_errors import one_line_errors
from cs3_model.files import write_whole
from training.simulation.objects.appearance import table_top
from training.simulation.objects.catalogue import (
    CLASSES,
    FLAT_TARGETS,
    HOLDABLE,
    ROUND_SEGMENTS,
    TARGETS,
    build_shape,
    draw_kind,
)
from training.simulation.objects.materials import HELD_OUT_PAIRS, MATERIALS
from training.simulation.objects.shapes import vessels
from training.simulation.objects.shapes.shape import Shape
from training.simulation.scenario import scenarios
from training.simulation.scenario.difficulty import LEVELS, SHARES
from training.simulation.sound.impact_sound import Body, Impact, Scrape, body_of, synthesize, table_body
from training.simulation.sound.microphone import hear
from training.worker_processes import end_with_parent

RATE_HZ = 16_000
DURATION_S = 2.0
MATERIAL_NAMES = tuple(MATERIALS)
"""The order of the labels."""
SHARD_SIZE = 500

_SEED = 811
_SCRAPERS = ("spoon", "fork", "knife", "spatula", "ladle")
_LIFTED = tuple(name for name in HOLDABLE if name not in ("pan", "lid"))
_BOUNCE_SHARE = 0.2
"""Probability that another collision follows, in the scenarios other than held_vs_held, lid and scrape."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hit:
    """One labelled sound."""

    sound: npt.NDArray[np.int16]
    """[T] at `RATE_HZ`, full scale 32767."""
    materials: tuple[str, ...]
    """The distinct materials that collided, sorted."""
    onset_s: float
    snr_db: float
    scenario: str
    """See `training.simulation.scenario.scenarios.SCENARIOS`."""
    objects: tuple[str, str]
    """Class of what strikes and of what is struck, which may be the table."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hits:
    """Hits in files, mapped into memory."""

    sounds: npt.NDArray[np.int16]
    """[N, T]."""
    labels: npt.NDArray[np.uint8]
    """[N, 7], 1 where the material of `MATERIAL_NAMES` took part."""
    onsets_s: npt.NDArray[np.float32]
    """[N]."""


def make_hit(index: int) -> Hit:
    """Makes one hit; the same for the same index, in every process."""
    rng = np.random.default_rng([_SEED, index])
    level = LEVELS[str(rng.choice(list(SHARES), p=list(SHARES.values())))]
    act = _act(rng)
    held, target, table = _objects(rng, act)
    bodies = [
        body_of(rng, held, held=act != "drop", standing=act == "drop"),
        table_body(rng, table)
        if target is None
        else body_of(rng, target, held=act == "held_vs_held", standing=act != "held_vs_held"),
    ]
    onset_s = float(rng.uniform(0.6, 1.2))
    impacts = [_blow(bodies, (0, 1), onset_s, _closing_speed(rng, act))]
    if act not in ("held_vs_held", "lid", "scrape"):
        impacts += _bounces(rng, bodies, table, target is None, impacts[0])
    scrapes = [_slide(rng, onset_s)] if act == "scrape" else []
    dry = synthesize(rng, bodies, impacts, scrapes, DURATION_S, RATE_HZ)
    heard = hear(rng, dry, onset_s, RATE_HZ, snr_db=level.snr_db, collides=True, off_screen=False)
    assert heard.snr_db is not None  # it collides
    return Hit(
        sound=np.round(heard.noisy * 32767).astype(np.int16),
        materials=tuple(sorted({bodies[0].material, bodies[1].material})),
        onset_s=onset_s,
        snr_db=heard.snr_db,
        scenario=act,
        objects=(held.name, "table" if target is None else target.name),
    )


def _act(rng: np.random.Generator) -> str:
    """What one of the hands of an ordinary scene does."""
    while True:
        recipe = scenarios.draw_recipe(rng)
        loud = [variant for variant in recipe.variants if variant.striking]
        chosen = int(rng.integers(2))  # a scene has two variants, of which one may be silent
        if chosen < len(loud):
            scenario = loud[chosen].scenario
            return "hit" if scenario == "one_silent" else scenario


def _objects(rng: np.random.Generator, act: str) -> tuple[Shape, Shape | None, str]:
    """The striking object, what it strikes (None: the table), and the material of the table."""
    table = table_top(rng).material
    on_table = {"hit": 0.06, "put_down": 0.6, "drop": 0.4, "scrape": 0.4}
    if act == "lid":
        pot = build_shape(rng, *draw_kind(rng, ("pot",)))
        glass = pot.material == "metal" and rng.random() < 0.4
        lid = vessels.lid(rng, "glass" if glass else pot.material, ROUND_SEGMENTS, radius=pot.radius - 0.03)
        return lid, pot, table
    holdable = {"scrape": _SCRAPERS, "drop": _LIFTED, "put_down": _LIFTED}.get(act, HOLDABLE)
    if rng.random() < on_table.get(act, 0.0):
        return build_shape(rng, *draw_kind(rng, holdable)), None, table
    targets = {"held_vs_held": HOLDABLE, "scrape": FLAT_TARGETS, "put_down": FLAT_TARGETS}.get(act, TARGETS)
    target = build_shape(rng, *draw_kind(rng, targets))
    while True:
        name, material = draw_kind(rng, holdable)
        if frozenset((material, target.material)) not in HELD_OUT_PAIRS:
            return build_shape(rng, name, material), target, table


def _closing_speed(rng: np.random.Generator, act: str) -> float:
    """Metres per second along the normal of the contact."""
    if act == "drop":
        return float(np.sqrt(2 * 9.81 * rng.uniform(0.04, 0.11)))
    path = rng.uniform(0.15, 0.3) if act in ("put_down", "lid", "scrape") else rng.uniform(0.25, 0.9)
    return float(path * rng.uniform(0.9 if act in ("put_down", "lid", "scrape") else 0.45, 1.0))


def _blow(bodies: list[Body], pair: tuple[int, int], time_s: float, speed: float) -> Impact:
    """A plastic blow: the pair exchanges its relative momentum."""
    reduced = 1.0 / sum(1.0 / bodies[index].mass for index in pair)
    return Impact(bodies=pair, time_s=time_s, impulse=reduced * speed, closing_speed=speed)


def _bounces(
    rng: np.random.Generator, bodies: list[Body], table: str, is_table_hit: bool, first: Impact
) -> list[Impact]:
    """What follows a blow: its target knocks the table or a neighbour, or the blow repeats itself.

    Adds the bodies that are new.
    """
    found = []
    while rng.random() < _BOUNCE_SHARE:
        kind = "again" if is_table_hit else str(rng.choice(["table", "neighbour", "again"], p=[0.62, 0.23, 0.15]))
        pair = (0, 1) if kind == "again" else (1, len(bodies))
        if kind == "table":
            bodies.append(table_body(rng, table))
        elif kind == "neighbour":
            neighbour = build_shape(rng, *draw_kind(rng, tuple(CLASSES)))
            bodies.append(body_of(rng, neighbour, held=False, standing=True))
        speed = float(np.clip(rng.lognormal(np.log(0.25), 0.7), 0.06, 2.0))
        found.append(_blow(bodies, pair, first.time_s + rng.uniform(0.006, 0.13), speed))
    return found


def _slide(rng: np.random.Generator, onset_s: float) -> Scrape:
    speed = rng.uniform(0.1, 0.28) * (1 + 0.05 * rng.standard_normal(158))
    return Scrape(bodies=(0, 1), start_s=onset_s, sliding_speed=np.abs(speed))


def label_of(materials: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    """Returns [7], 1 where the material of `MATERIAL_NAMES` is among `materials`."""
    return np.array([name in materials for name in MATERIAL_NAMES], np.uint8)


def make_hits(folder: Path, count: int, workers: int = 0) -> Iterator[int]:
    """Makes what is missing of the first `count` hits; the number of processes does not change them.

    Args:
        folder: Where the files go, `SHARD_SIZE` hits each.
        count: Number of hits, a multiple of `SHARD_SIZE`.
        workers: Number of processes; 0 takes all cores.

    Yields:
        The number of hits of each finished file.

    Raises:
        ValueError: if the count is no positive multiple of `SHARD_SIZE`, or the disk is full; finished files stay.
    """
    if count <= 0 or count % SHARD_SIZE:
        raise ValueError(f"count must be a positive multiple of {SHARD_SIZE}, got {count}")
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(count // SHARD_SIZE) if not _shard(folder, number).exists()]
    yield count - len(missing) * SHARD_SIZE
    context = multiprocessing.get_context("spawn")
    num_workers = workers or len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(num_workers, context, initializer=end_with_parent) as pool:
        yield from pool.map(_make_shard, [_shard(folder, number) for number in missing], missing, repeat(SHARD_SIZE))


def _shard(folder: Path, number: int) -> Path:
    return folder / f"hits-{number:04d}.npz"


def _make_shard(path: Path, number: int, size: int) -> int:
    hits = [make_hit(index) for index in range(number * size, (number + 1) * size)]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        sounds=np.stack([hit.sound for hit in hits]),
        labels=np.stack([label_of(hit.materials) for hit in hits]),
        onsets_s=np.array([hit.onset_s for hit in hits], np.float32),
    )
    write_whole(path, buffer.getbuffer())
    return len(hits)


def read_hits(folder: Path, limit: int = 0) -> Hits:
    """Reads finished hits into memory, 64 kB each.

    Args:
        folder: Where `make_hits` put them.
        limit: Number of hits to read at most; 0 reads all.

    Raises:
        ValueError: if there are none, or a file is damaged.
    """
    paths = sorted(folder.glob("hits-*.npz"))[: -(-limit // SHARD_SIZE) or None]
    if not paths:
        raise ValueError(f"{folder} holds no hits: python -m training.micro.audio.audio_hits {folder}")
    parts: dict[str, list[npt.NDArray[Any]]] = {"sounds": [], "labels": [], "onsets_s": []}
    for path in paths:
        try:
            with np.load(path) as shard:
                for name, part in parts.items():
                    part.append(shard[name])
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{path} is damaged ({error}): delete it and make the hits again") from error
    return Hits(**{name: np.concatenate(part)[: limit or None] for name, part in parts.items()})


def main(
    folder: Annotated[Path, typer.Argument(help="Where the hits go.")],
    count: Annotated[int, typer.Option(help=f"Number of hits, a multiple of {SHARD_SIZE}.")] = 50_000,
    workers: Annotated[int, typer.Option(min=0, help="Number of processes; 0: all cores.")] = 0,
) -> None:
    """Make labelled impact sounds, or go on with them."""
    with one_line_errors(status=2), tqdm(total=count, unit="hit", mininterval=1.0) as bar:
        for made in make_hits(folder, count, workers):
            bar.update(made)


if __name__ == "__main__":
    typer.run(main)
