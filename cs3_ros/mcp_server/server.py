"""The server: tools and a resource over one client of the perception node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

from cs3_ros.client import CollisionClient
from cs3_ros.mcp_server.hearing import BackgroundHearing
from cs3_ros.mcp_server.tools import PerceptionTools

OVERLAY_URI = "perception://overlay/newest"

_INSTRUCTIONS = """
A robot's ears and eyes: when two things hit each other, the perception node says which ones, as masks in the camera
image. Call wait_for_collision to learn of the next one, then look with its id to see it. Nothing is said about what an
object is: look and judge. If a tool fails, do what the error says, or ask perception_status.
""".strip()


def build_server(client: CollisionClient) -> MCPServer[Any]:
    """Returns a server that listens with this client while it runs."""
    hearing = BackgroundHearing(client)
    tools = PerceptionTools(hearing)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Any]) -> AsyncIterator[None]:
        async with hearing.running():
            yield

    server = MCPServer[Any]("cs3", instructions=_INSTRUCTIONS, lifespan=lifespan, log_level="WARNING")
    for tool in tools.all():
        is_idempotent = tool.__name__ not in ("wait_for_collision", "segment_now")
        hints = ToolAnnotations(read_only_hint=True, open_world_hint=False, idempotent_hint=is_idempotent)
        server.add_tool(tool, annotations=hints)
    about = "The camera image of the newest collision with its masks drawn in."
    server.resource(OVERLAY_URI, name="newest_overlay", description=about, mime_type="image/jpeg")(tools.newest_overlay)
    return server
