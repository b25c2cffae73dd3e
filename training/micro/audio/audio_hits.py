"""Impact sounds without physics or pictures: a hundred thousand labelled sounds cost minutes, not a day.

    python -m training.micro.audio.audio_hits out/hits --count 50000

Three quarters of the hits are collisions as in Sim-CS3 (`drawn_collisions`), without the pairs of materials that are
kept for the held-out test. In the others a part of a hand, a stick or a tool strikes something, as outside of the world.

Each hit is there twice: as it sounds in recordings, and *plain*, as it sounded in version 1 of the simulator, which the
networks that ship first learned from.
"""

from __future__ import annotations

import io
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from itertools import repeat
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from tqdm import tqdm

from cs3_model.child_processes import end_with_parent
from cs3_model.command_errors import one_line_errors
from cs3_model.files import write_whole
from training.micro.audio.drawn_collisions import DrawnCollision, struck_collision, world_collision
from training.simulation.objects.materials import MATERIALS
from training.simulation.scenario.difficulty import LEVELS, SHARES
from training.simulation.sound.impact_sound import Manner, synthesize
from training.simulation.sound.microphone import hear
from training.simulation.sound.modes import Sound
from training.simulation.sound.recording_devices import Recording, record

RATE_HZ = 16_000
DURATION_S = 2.0
MATERIAL_NAMES = tuple(MATERIALS)
"""The order of the labels."""
SHARD_SIZE = 500

_SEED = 811
_STRUCK_EVERY = 4
"""Every so many hits a striker of `STRIKERS` strikes."""
_WORLD_SHARE = 0.25
"""Share of the hits that the world's own microphone hears, not another device."""
_SNR_DB = (3.0, 45.0)
"""Level over the background in recordings."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hit:
    """One labelled sound."""

    sound: npt.NDArray[np.int16]
    """As in recordings, [T] at `RATE_HZ`, full scale 32767."""
    plain: npt.NDArray[np.int16] | None
    """As in version 1 of the simulator; None where a striker strikes, which it did not know."""
    materials: tuple[str, ...]
    """The distinct materials that collided, sorted."""
    onset_s: float
    snr_db: float
    """Level of `sound` over its background."""
    scenario: str
    objects: tuple[str, str]
    """Scenario and objects as in `DrawnCollision`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hits:
    """Hits in files, mapped into memory."""

    sounds: npt.NDArray[np.int16]
    """[N, T]."""
    plain: npt.NDArray[np.int16]
    """[N, T], zeros where there is none."""
    labels: npt.NDArray[np.uint8]
    """[N, 7], 1 where the material of `MATERIAL_NAMES` took part."""
    onsets_s: npt.NDArray[np.float32]
    """[N]."""

    @staticmethod
    def joined(parts: Sequence[Hits]) -> Hits:
        """All hits in one."""
        return Hits(
            **{each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Hits)}
        )

    def part(self, chosen: slice) -> Hits:
        """Some of the hits."""
        return Hits(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})


def make_hit(index: int) -> Hit:
    """Makes one hit; the same for the same index, in every process."""
    rng = np.random.default_rng([_SEED, index])
    plain: Sound | None = None
    if index % _STRUCK_EVERY == 0:
        collision = struck_collision(rng)
        sound, snr_db = _recorded(rng, collision)
    else:
        level = LEVELS[str(rng.choice(list(SHARES), p=list(SHARES.values())))]
        collision = world_collision(rng)
        plain, snr_db = _in_the_world(rng, collision, Manner.PLAIN, level.snr_db)
        if rng.random() < _WORLD_SHARE:
            sound, snr_db = _in_the_world(rng, collision, Manner.MEASURED, level.snr_db)
        else:
            sound, snr_db = _recorded(rng, collision)
    return Hit(
        sound=_as_int16(sound),
        plain=None if plain is None else _as_int16(plain),
        materials=collision.materials,
        onset_s=collision.onset_s,
        snr_db=snr_db,
        scenario=collision.scenario,
        objects=collision.objects,
    )


def _dry(rng: np.random.Generator, collision: DrawnCollision, manner: Manner) -> Sound:
    return synthesize(rng, collision.bodies, collision.impacts, collision.scrapes, DURATION_S, RATE_HZ, manner)


def _recorded(rng: np.random.Generator, collision: DrawnCollision) -> Recording:
    """A collision as some device records it."""
    return record(rng, _dry(rng, collision, Manner.MEASURED), collision.onset_s, RATE_HZ, _SNR_DB)


def _in_the_world(
    rng: np.random.Generator, collision: DrawnCollision, manner: Manner, snr_db: tuple[float, float]
) -> Recording:
    """A collision at the world's own microphone."""
    dry = _dry(rng, collision, manner)
    heard = hear(rng, dry, collision.onset_s, RATE_HZ, snr_db=snr_db, collides=True, off_screen=False, manner=manner)
    assert heard.snr_db is not None
    return Recording(samples=heard.noisy, snr_db=heard.snr_db)


def _as_int16(sound: Sound) -> npt.NDArray[np.int16]:
    return np.round(sound * 32767).astype(np.int16)


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
        plain=np.stack([np.zeros_like(hit.sound) if hit.plain is None else hit.plain for hit in hits]),
        labels=np.stack([label_of(hit.materials) for hit in hits]),
        onsets_s=np.array([hit.onset_s for hit in hits], np.float32),
    )
    write_whole(path, buffer.getbuffer())
    return len(hits)


def read_hits(folder: Path, limit: int = 0) -> Hits:
    """Reads finished hits into memory, 128 kB each.

    Args:
        folder: Where `make_hits` put them.
        limit: Number of hits to read at most; 0 reads all.

    Raises:
        ValueError: if there are none, or a file is damaged.
    """
    paths = sorted(folder.glob("hits-*.npz"))[: -(-limit // SHARD_SIZE) or None]
    if not paths:
        raise ValueError(f"{folder} holds no hits: python -m training.micro.audio.audio_hits {folder}")
    parts: list[Hits] = []
    for path in paths:
        try:
            with np.load(path) as shard:
                parts.append(Hits(**{each.name: shard[each.name] for each in fields(Hits)}))
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{path} is damaged ({error}): delete it and make the hits again") from error
    return Hits.joined(parts).part(slice(limit or None))


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
