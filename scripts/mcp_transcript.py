"""Command line: the transcript of a conversation with `cs3 mcp` about the demo bag, docs/mcp_transcript.md.

The calls are those that a language model would make; they are written down here, the answers are what came.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters, stdio_client

ROOT = Path(__file__).resolve().parents[1]
_BAG = ROOT / "cs3_ros/demo_bag"
_TOPICS = ("/image/compressed", "/audio")
_READY_S = 300
_MAX_TEXT = 900


class Transcript:
    """A conversation, written down as Markdown.

    Args:
        model: The client that asks.
        pictures: Folder for the pictures that come.
    """

    def __init__(self, model: Any, pictures: Path) -> None:
        self.lines: list[str] = []
        self._model = model
        self._pictures = pictures

    def say(self, words: str) -> None:
        """What the model thinks before its next call."""
        self.lines += [f"**Model:** {words}", ""]

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Calls a tool, and writes down call and answer."""
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        answer = await self._model.call_tool(tool, arguments)
        self.lines += [f"`{tool}({given})`{' fails' if answer.is_error else ''}", ""]
        number = 0
        for content in answer.content:
            if content.type == "image":
                number += 1
                path = self._pictures / f"mcp_{tool}_{arguments['id']}_{number}.jpg"
                path.write_bytes(base64.b64decode(content.data))
                self.lines += [f"![{tool}](images/{path.name})", ""]
            else:
                self.lines += ["```", _shortened(content.text), "```", ""]
        return answer.structured_content


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}\n... ({len(text) - _MAX_TEXT} more characters)"


async def converse(talk: Transcript) -> None:
    """The conversation; the bag plays meanwhile."""
    talk.say("Is perception running?")
    await talk.call("perception_status")
    talk.say("Then I listen.")
    heard = await talk.call("wait_for_collision", timeout_s=60)
    talk.say("Which objects are these? I look.")
    await talk.call("look", id=heard["collision"]["id"])
    talk.say("What else was considered?")
    await talk.call("describe_collision", id=heard["collision"]["id"])
    talk.say("And what happened while I looked?")
    await talk.call("wait_for_collision", timeout_s=20)
    await asyncio.sleep(10)
    talk.say("Has it become quiet? I want all that was heard.")
    await talk.call("last_collisions", n=10)
    talk.say("I ask for one that there is not, to see what happens.")
    await talk.call("look", id=99)


async def record(pictures: Path) -> list[str]:
    """Starts node, server and player; returns the lines of the transcript."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "cs3_model.cli", "mcp"], env=dict(os.environ))
    node = subprocess.Popen(
        [sys.executable, "-m", "cs3_ros.perception.node", "--ros-args", "-p", "preset:=micro", "--log-level", "error"]
    )
    player = None
    try:
        async with Client(stdio_client(server)) as model:
            await asyncio.wait_for(_until_active(model), _READY_S)
            play = ["-m", "cs3_ros.bags.bag_player", str(_BAG), "--topics", *_TOPICS, "--wait-for", *_TOPICS]
            play += ["--delay", "2"]  # so that the server too has found the camera
            player = subprocess.Popen([sys.executable, *play])
            talk = Transcript(model, pictures)
            await converse(talk)
            return talk.lines
    finally:
        for process in (player, node):
            if process is not None:
                process.terminate()
                process.wait()


async def _until_active(model: Any) -> None:
    """Without its inputs the node complains, but is active."""
    while "it is active" not in (await model.call_tool("perception_status", {})).content[0].text:
        await asyncio.sleep(1.0)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for the page (default docs)")
    out = parser.parse_args().out
    (out / "images").mkdir(parents=True, exist_ok=True)
    head = [
        "# A conversation with `cs3 mcp`",
        "",
        "Written by `scripts/run python scripts/mcp_transcript.py`: the demo bag plays into the perception node with the",
        "preset `micro`, and the tools of [mcp.md](mcp.md) are called over stdio. The model's words and the choice of calls",
        "are written in the script; the answers are what the tools returned, cut where it says so.",
        "",
    ]
    lines = asyncio.run(record(out / "images"))
    (out / "mcp_transcript.md").write_text("\n".join([*head, *lines]).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
