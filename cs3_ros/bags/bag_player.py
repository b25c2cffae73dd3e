"""Command line: replays a bag onto the ROS graph, for machines without ``ros2 bag``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.bags.input_topics import INPUTS
from cs3_ros.bags.playback import BagPlayer, Playback
from cs3_ros.command_line import SeveralValuesCommand, run_command
from cs3_ros.distribution import ros_context

_DEFAULTS = Playback()


def command(
    context: typer.Context,
    bag: Annotated[Path, typer.Argument(help="Bag folder, or one .mcap or .db3 file.")],
    topics: Annotated[list[str] | None, typer.Option(metavar="TOPIC ...", help="Replay only these.")] = None,
    remap: Annotated[list[str] | None, typer.Option(metavar="OLD:=NEW ...", help="Publish OLD under NEW.")] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INPUT:=TOPIC ...",
            help="Publish the bag's image, audio and camera_info there, whatever their names in the bag.",
        ),
    ] = None,
    rate: Annotated[float, typer.Option(help="Speed: 2 is twice as fast.")] = _DEFAULTS.rate,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = _DEFAULTS.loop,
    clock: Annotated[
        bool, typer.Option("--clock", help="Publish /clock at 100 Hz, for use_sim_time.")
    ] = _DEFAULTS.clock,
    start_s: Annotated[
        float, typer.Option("--start", help="Begin this far into the bag, seconds.")
    ] = _DEFAULTS.start_s,
    duration_s: Annotated[
        float, typer.Option("--duration", help="Replay this much of it, seconds.", show_default="all")
    ] = _DEFAULTS.duration_s,
    delay_s: Annotated[
        float, typer.Option("--delay", help="Pause before the first message, seconds.")
    ] = _DEFAULTS.delay_s,
    wait_for: Annotated[
        list[str] | None, typer.Option(metavar="TOPIC ...", help="Wait until these have a subscriber.")
    ] = None,
    wait_timeout_s: Annotated[
        float, typer.Option("--wait-timeout", help="Give up waiting after, seconds.")
    ] = _DEFAULTS.wait_timeout_s,
) -> None:
    """Replay a ROS 2 bag (mcap or sqlite3) onto the graph."""
    published_under = _pairs("--remap", remap or ())
    published_inputs = _pairs("--inputs", inputs or ())
    if unknown := set(published_inputs) - set(INPUTS):
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))!r} is no input: choose from {', '.join(INPUTS)}", param_hint="--inputs"
        )
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a script in the background has ignored Ctrl-C
        signal.signal(number, signal.default_int_handler)
    try:
        playback = Playback(
            topics=tuple(topics or ()),
            remap=published_under,
            inputs=published_inputs,
            rate=rate,
            loop=loop,
            clock=clock,
            start_s=start_s,
            duration_s=duration_s,
            delay_s=delay_s,
            wait_for=tuple(wait_for or ()),
            wait_timeout_s=wait_timeout_s,
        )
        # Without rclpy's own handlers, an interrupt ends the sleep between two messages.
        with ros_context(context.args, signals=SignalHandlerOptions.NO), RecordedBag(bag) as recorded:
            node = Node("bag_player")
            report = BagPlayer(node, recorded, playback).play()
            node.destroy_node()  # at once, or listeners take the time that the process needs to end for silence
    except ValueError as error:
        typer.echo(f"bag_player: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        return
    for loss in recorded.losses:
        typer.echo(f"bag_player: {loss}", err=True)
    typer.echo(f"{report.num_messages} messages replayed, p99 lateness {1e3 * report.lateness_p99_s:.1f} ms")


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Reads OLD:=NEW."""
    pairs = {}
    for text in texts:
        old, separator, new = text.partition(":=")
        if not (old and separator and new):
            raise typer.BadParameter(f"{text!r} is not of the form OLD:=NEW", param_hint=option)
        pairs[old] = new
    return pairs


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status. Ctrl-C and SIGTERM end it at once."""
    return run_command(command, argv, name="bag_player", kind=SeveralValuesCommand)


if __name__ == "__main__":
    sys.exit(main())
