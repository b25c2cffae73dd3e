"""Each stage of a real node hangs for good: how soon that is said, how the process ends, and when the next one hears.

scripts/run python -m tests.figures.hung_stage --times 2
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cs3_model.files import write_whole_text
from tests.ros.perception.perception_graph import START_S, MediaGraph, NodeProcess, jpeg_picture, use_hand_made_parts

DEADLINE_S = 2.0
"""`device_timeout_s` of the node."""
STAGES = ("decoding", "picture", "hands", "boxes", "sound", "publishing")
NODE = """
import sys
from tests.figures.hung_stage import run_node
run_node(sys.argv[1], sys.argv[2], float(sys.argv[3]))
"""
"""Its arguments are the stage, the file that gives it a fault, and `device_timeout_s`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hang:
    """What a node did whose stage hung."""

    stage: str
    said_after_s: float
    """From the begin of the hang to diagnostics that say so, seconds."""
    ended_after_s: float
    """To the end of the process."""
    status: int
    """Its exit status."""
    reasons: tuple[str, ...]
    """Of the events that waited."""
    ready_after_s: float
    """From the start of the next process to its word that it listens."""


def run_node(stage: str, flag: str, deadline_s: float) -> None:
    """The node; the stage has the fault that the file `flag` names, once, and takes the file away."""
    from cs3_model.frame_ring import StoredFrame
    from cs3_ros.perception.node import main
    from cs3_ros.perception.outputs import CollisionOutputs

    parts = use_hand_made_parts()
    owner, method = {
        "decoding": (StoredFrame, "decode"),
        "picture": (parts["audio_visual"], "embed_image"),
        "hands": (parts["hands"], "detect"),
        "boxes": (parts["boxes"], "segment"),
        "sound": (parts["audio_visual"], "embed_audio"),
        "publishing": (CollisionOutputs, "to_msg"),
    }[stage]
    setattr(owner, method, _failing(getattr(owner, method), Path(flag)))
    settings = ("preset:=debug", "audio_pre_s:=0.3", "audio_post_s:=0.3", f"device_timeout_s:={deadline_s}")
    main(["perception", "--ros-args", *(word for setting in settings for word in ("-p", setting))])


def _failing(call: Callable[..., Any], flag: Path) -> Callable[..., Any]:
    def fail_or_call(*arguments: Any, **named: Any) -> Any:
        if flag.exists():
            fault = flag.read_text()
            flag.unlink()
            if fault == "hang":
                threading.Event().wait()
            raise {"error": RuntimeError, "memory": MemoryError}[fault]("made to fail")
        return call(*arguments, **named)

    return fail_or_call


def arm(flag: Path, fault: str) -> None:
    """Gives the next call of the stage a fault: hang, error or memory."""
    write_whole_text(flag, fault)


def hang(stage: str) -> Hang:
    """Lets a stage of a node that works hang, and starts the next node as a launch with respawn does."""
    devices = {"image": jpeg_picture, "image_topic": "/image/compressed", "real_time": True}
    with closing(MediaGraph()) as graph, tempfile.TemporaryDirectory() as folder:
        flag = Path(folder) / "hang"
        with NodeProcess(NODE, stage, str(flag), str(DEADLINE_S)) as node:
            graph.wait_until_it_listens(node)
            graph.now_ns = time.time_ns()
            graph.play_until_collision(**devices)
            num_before = len(graph.collisions)
            arm(flag, "hang")
            _play_until(graph, lambda: not flag.exists(), devices)
            begin_s = time.monotonic()
            graph.wait_for_problem("the device hangs")
            said_s = time.monotonic() - begin_s
            graph.wait_for(lambda: node.process.poll() is not None, "the end of the process")
            ended_s, status = time.monotonic() - begin_s, node.process.returncode
            reasons = tuple(collision.reason for collision in graph.collisions[num_before:])
        begin_s = time.monotonic()
        with NodeProcess(NODE, stage, str(flag), str(DEADLINE_S)) as node:
            graph.wait_for(lambda: node.has_said("preset debug runs on"), "the next node", START_S)
            ready_s = time.monotonic() - begin_s
            _play_until(graph, lambda: len(graph.collisions) > num_before + len(reasons), devices)
    return Hang(
        stage=stage,
        said_after_s=said_s,
        ended_after_s=ended_s,
        status=status,
        reasons=reasons,
        ready_after_s=ready_s,
    )


def _play_until(graph: MediaGraph, condition: Callable[[], bool], devices: dict[str, Any]) -> None:
    for _ in range(20):
        if condition():
            return
        graph.play(**devices)
    raise AssertionError("no impact was taken")


def main(
    times: Annotated[int, typer.Option(help="How often each stage hangs.")] = 1,
    stages: Annotated[list[str] | None, typer.Option(help="Which; all by default.")] = None,
) -> None:
    """Print what came of each hang."""
    names: Sequence[str] = stages or STAGES
    for name in [name for name in names for _ in range(times)]:
        found = hang(name)
        typer.echo(
            f"{found.stage:<11} ERROR after {found.said_after_s:.1f} s, ended after {found.ended_after_s:.1f} s with "
            f"status {found.status}, the next one ready {found.ready_after_s:.1f} s after its start; "
            f"events: {', '.join(found.reasons) or 'none'}"
        )


if __name__ == "__main__":
    typer.run(main)
