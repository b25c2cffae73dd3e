"""Command line: a picture of what a Rerun viewer shows of a recording, taken without a screen.

Needs rerun-sdk 0.41 or later and a Vulkan driver, which may be a software one (Mesa's lavapipe).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from rerun.experimental import ViewerClient
from rerun_cli import __file__ as rerun_cli

_TIMELINE = "stamp"
_LOADED_S = 60.0
_DRAWN_S = 8.0
_MAX_SIDE = 1280


def take_picture(recording: Path, picture: Path, *, at_s: float, port: int) -> None:
    """Writes a PNG of the recording, with the cursor that many seconds after its beginning."""
    executable = Path(rerun_cli).parent / "rerun"
    viewer = ViewerClient.spawn(headless=True, port=port, executable_path=str(executable), hide_welcome_screen=True)
    try:
        viewer.open(str(recording.resolve()))
        deadline_s = time.monotonic() + _LOADED_S
        while not (timelines := _timelines(viewer)):
            if time.monotonic() > deadline_s:
                raise ValueError(f"{recording} was not loaded within {_LOADED_S:g} s")
            time.sleep(0.2)
        moment = np.datetime64(timelines[_TIMELINE].start + round(at_s * 1e9), "ns")
        viewer.set_time(_TIMELINE, timestamp=moment, play_state="paused")
        time.sleep(_DRAWN_S)  # there is no word of when everything is drawn and the notices are gone
        picture.write_bytes(viewer.take_screenshot(max_size=_MAX_SIDE))
    finally:
        viewer.quit()


def _timelines(viewer: ViewerClient) -> dict:
    state = viewer.get_state()
    if state.loading or not state.recordings:
        return {}
    timelines = {timeline.name: timeline for timeline in state.recordings[0].timelines}
    return timelines if _TIMELINE in timelines else {}


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path, help="an .rrd file, for instance of rerun_viewer --save")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--at", type=float, default=0.0, help="seconds after the beginning (default 0)")
    parser.add_argument("--port", type=int, default=9876, help="a free port for the viewer (default 9876)")
    arguments = parser.parse_args()
    try:
        take_picture(arguments.recording, arguments.picture, at_s=arguments.at, port=arguments.port)
    except (ValueError, TimeoutError) as error:
        print(f"rerun_picture: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
