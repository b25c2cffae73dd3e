"""A language model's client hears, sees and is told what is wrong, through the real protocol on a real graph."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("mcp", reason="needs the package mcp")

from mcp import Client, StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from cs3_ros.client import CollisionClient
from cs3_ros.mcp_server.jpeg_pictures import MAX_PICTURE_BYTES, MAX_SIDE_PX
from cs3_ros.mcp_server.server import OVERLAY_URI, build_server
from tests.ros.conftest import ROOT
from tests.ros.perception.perception_graph import SPOT_XYXY, START_S

pytestmark = pytest.mark.ros

TOPICS = {"image": "/image", "audio": "/audio"}


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def talk(graph, pool, conversation: Callable[[Any], Awaitable[Any]], **client: Any) -> Any:
    """Runs a conversation with a server in another thread, while the test spins the graph."""

    async def scene() -> Any:
        with CollisionClient(**TOPICS, **client) as hears:
            async with Client(build_server(hears)) as model:
                return await conversation(model)

    done = pool.submit(asyncio.run, scene())
    graph.wait_for(done.done, "the conversation")
    return done.result()


def server_process() -> Any:
    command = ["-m", "cs3_model.cli", "mcp", "--image", TOPICS["image"], "--audio", TOPICS["audio"]]
    return stdio_client(StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ), cwd=ROOT))


def listens(graph, topic: str, count: int) -> None:
    graph.wait_for(lambda: graph.node.count_subscribers(topic) == count, f"the server to listen to {topic}", START_S)


def decoded(image: Any) -> np.ndarray:
    data = base64.b64decode(image.data)
    assert image.mime_type == "image/jpeg" and len(data) <= MAX_PICTURE_BYTES
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.slow
def test_a_conversation_over_stdio_hears_describes_and_looks(make_perception, pool) -> None:
    graph = make_perception()

    async def scene() -> dict[str, Any]:
        async with Client(server_process()) as model:
            answers = {
                "tools": await model.list_tools(),
                "wait": await model.call_tool("wait_for_collision", {"timeout_s": 120}),
            }
            answers["describe"] = await model.call_tool("describe_collision", {"id": 1})
            answers["look"] = await model.call_tool("look", {"id": 1})
            answers["list"] = await model.call_tool("last_collisions", {"n": 3})
            answers["overlay"] = await model.read_resource(OVERLAY_URI)
            return answers

    graph.play(0.1, ())  # makes the publishers
    done = pool.submit(asyncio.run, scene())
    listens(graph, "/perception/collision", 2)
    listens(graph, "/image", 2)
    graph.play_until_collision(real_time=True)
    graph.wait_for(done.done, "the conversation", START_S)
    answers = done.result()

    assert all(tool.annotations.read_only_hint for tool in answers["tools"].tools)
    assert not any(answer.is_error for name, answer in answers.items() if name in ("wait", "describe", "look", "list"))
    heard = answers["wait"].structured_content
    assert heard["heard"] and heard["num_missed"] == 0
    assert heard["words"].startswith("Collision 1, 0 seconds ago. At 1000.5") and "two objects" in heard["words"]
    facts = answers["describe"].structured_content
    spot = next(found for found in facts["objects"] if "heard" in found["roles"])
    np.testing.assert_allclose(spot["box_xyxy"], SPOT_XYXY, atol=1)
    x_min, y_min, x_max, y_max = spot["box_xyxy"]
    assert spot["area_px"] == (x_max - x_min) * (y_max - y_min), "the hand-made part fills its boxes"
    assert spot["where"] == "middle of the picture"
    words, overlay, *crops = answers["look"].content
    assert words.text.startswith("Collision 1") and len(crops) == 2
    assert max(decoded(overlay).shape) <= MAX_SIDE_PX and decoded(crops[0]).size
    assert len(answers["list"].structured_content["collisions"]) == 1
    blob = base64.b64decode(answers["overlay"].contents[0].blob)
    assert blob == base64.b64decode(overlay.data)


@pytest.mark.slow
def test_the_server_ends_when_its_client_is_gone_in_mid_call(make_perception, pool) -> None:
    graph = make_perception()

    async def scene() -> None:
        async with Client(server_process()) as model:
            waiting = asyncio.create_task(model.call_tool("wait_for_collision", {"timeout_s": 100}))
            await asyncio.to_thread(seen.wait)
            waiting.cancel()

    seen = threading.Event()
    done = pool.submit(asyncio.run, scene())
    listens(graph, "/perception/collision", 2)
    seen.set()
    graph.wait_for(done.done, "the end of the conversation", START_S)
    done.result()
    listens(graph, "/perception/collision", 1)


def test_collisions_between_two_calls_come_in_order_and_none_twice(make_perception, pool) -> None:
    graph = make_perception()
    played: list[Any] = []

    async def conversation(model: Any) -> list[Any]:
        while len(played) < 2:
            await asyncio.sleep(0.05)
        waits = [await model.call_tool("wait_for_collision", {"timeout_s": 20}) for _ in range(2)]
        return [*waits, await model.call_tool("wait_for_collision", {"timeout_s": 0.3})]

    async def scene() -> list[Any]:
        with CollisionClient(**TOPICS) as hears:
            async with Client(build_server(hears)) as model:
                return await conversation(model)

    done = pool.submit(asyncio.run, scene())
    listens(graph, "/perception/collision", 2)
    played.extend(graph.play_until_collision() for _ in range(2))
    graph.wait_for(done.done, "the conversation")
    first, second, third = (answer.structured_content for answer in done.result())
    onsets_ns = [message.onset.sec * 10**9 + message.onset.nanosec for message in played]
    assert [answer["collision"]["onset_s"] for answer in (first, second)] == [ns / 10**9 for ns in onsets_ns]
    assert (third["heard"], third["collision"]) == (False, None)
    assert "no collision from /perception/collision within 0.3 s" in third["words"]


def test_the_present_moment_is_segmented_and_can_be_looked_at(make_perception, pool) -> None:
    graph = make_perception()
    stop = []

    async def conversation(model: Any) -> list[Any]:
        for _ in range(200):
            now = await model.call_tool("segment_now", {})
            if not now.is_error:
                break
            await asyncio.sleep(0.05)
        stop.append(True)
        return [now, await model.call_tool("look", {"id": now.structured_content["id"]})]

    async def scene() -> list[Any]:
        with CollisionClient(**TOPICS) as hears:
            async with Client(build_server(hears)) as model:
                return await conversation(model)

    graph.play(0.1, ())
    done = pool.submit(asyncio.run, scene())
    while not stop and not done.done():
        graph.play(0.2, (), real_time=True)
    graph.wait_for(done.done, "the conversation")
    now, look = done.result()
    assert {role for found in now.structured_content["objects"] for role in found["roles"]} == {"held right", "heard"}
    assert len(look.content) == 4 and not look.is_error


@pytest.mark.parametrize(
    ("tool", "arguments", "complaint"),
    [
        ("look", {"id": 1}, "there is no collision 1: none was heard yet; call wait_for_collision first"),
        ("describe_collision", {"id": 0}, "id must be a whole number from 1 to 1000000000, got 0"),
        ("last_collisions", {"n": 0}, "n must be a whole number from 1 to 20, got 0"),
        ("last_collisions", {"n": 10**12}, "n must be a whole number from 1 to 20"),
        ("wait_for_collision", {"timeout_s": -1}, "timeout_s must be a number of seconds, from 0 to 120, got -1"),
        ("wait_for_collision", {"timeout_s": 1e9}, "timeout_s must be a number of seconds, from 0 to 120"),
        ("segment_now", {}, "nothing has come from /image yet: see that the camera runs, or name the right topic"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(make_perception, pool, tool, arguments, complaint) -> None:
    graph = make_perception()
    answer = talk(graph, pool, lambda model: model.call_tool(tool, arguments))
    assert answer.is_error
    assert complaint in answer.content[0].text and len(answer.content[0].text.splitlines()) == 1


def test_without_a_node_the_tools_say_what_to_start(graph, pool) -> None:
    async def conversation(model: Any) -> tuple[Any, Any]:
        waited = await model.call_tool("wait_for_collision", {"timeout_s": 60})
        return waited, await model.call_tool("perception_status", {})

    waited, status = talk(graph, pool, conversation, node="nobody", patience_s=0.3)
    assert waited.is_error and "no node /nobody publishes" in waited.content[0].text
    assert "publishes no diagnostics" in status.structured_content["words"]


def test_the_status_repeats_what_the_node_says_about_itself(make_perception, pool) -> None:
    graph = make_perception()

    async def conversation(model: Any) -> str:
        for _ in range(200):
            words = (await model.call_tool("perception_status", {})).structured_content["words"]
            if "nobody publishes" in words:
                break
            await asyncio.sleep(0.05)
        return words

    assert "nobody publishes" in talk(graph, pool, conversation)


def test_a_resource_that_is_not_there_yet_is_an_error(make_perception, pool) -> None:
    graph = make_perception()

    async def conversation(model: Any) -> None:
        with pytest.raises(MCPError, match="there is no overlay yet"):
            await model.read_resource(OVERLAY_URI)

    talk(graph, pool, conversation)
