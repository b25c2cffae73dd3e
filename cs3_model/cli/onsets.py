"""``cs3 onsets``: the collision onsets of an audio or video file, as CSV."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer

from cs3_model.cli.onset_plot import OnsetPlot
from cs3_model.cli.sound import find_onsets
from cs3_model.media import NS_PER_S, MediaFile


def onsets(
    file: Annotated[Path, typer.Argument(help="Audio or video file.", metavar="FILE")],
    chunk: Annotated[int, typer.Option(help="Samples per chunk; the onsets do not depend on it.", min=1)] = 960,
    track: Annotated[int, typer.Option(help="Which of several tracks of sound, counted from 1.", min=1)] = 1,
    plot: Annotated[Path | None, typer.Option(help="Also draw waveform, spectrogram and onsets to this PNG.")] = None,
) -> None:
    """Print the collision onsets of FILE as CSV.

    One line per onset: its time, the time at which it was decided, how far it rises above the background (dB), and
    whether it was confirmed or withdrawn. Times are seconds from the earliest picture or sample of the file. The file
    is read as a stream. Damaged packets are left out; then, and where the file is cut off, the exit status is 1.
    """
    picture = OnsetPlot() if plot is not None else None
    try:
        media = MediaFile(file, sound_track=track - 1, unreadable=f"cannot read {file}")
        if not media.has_sound:
            raise ValueError(f"{file} has no audio stream that can be decoded")
        if media.num_sound_tracks > 1 and media.is_silent():
            typer.echo(
                f"cs3 onsets: track {track} of {media.num_sound_tracks} is silent; choose another with --track",
                err=True,
            )
        found = find_onsets(media, chunk, picture)
        first = next(found, None)
        typer.echo("onset_s,confirmed_s,strength,state")
        for onset in itertools.chain([first] if first else [], found):
            assert onset.decided_ns is not None  # it was found, not given
            time_s, decided_s = onset.time_ns / NS_PER_S, onset.decided_ns / NS_PER_S
            typer.echo(f"{time_s:.4f},{decided_s:.4f},{onset.strength_db:.1f},{onset.state.value}")
        if picture is not None and plot is not None:
            picture.save(plot, title=file.name)
        if media.damage:  # already told, as a warning
            raise typer.Exit(1)
    except BrokenPipeError:  # the reader of our output has had enough; Typer ends quietly
        raise
    except OSError as error:
        _fail(f"cannot write {error.filename or 'the picture'}: {error.strerror or error}")
    except ValueError as error:
        _fail(str(error))


def _fail(reason: str) -> None:
    typer.echo(f"cs3 onsets: {reason}", err=True)
    raise typer.Exit(1) from None
