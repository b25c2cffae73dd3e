"""Command line of `cs3 mcp`: collisions as tools for language models, over standard input and output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cs3_ros.client import CollisionClient
from cs3_ros.command_line import run_command
from cs3_ros.mcp_server.collision_memory import CAPACITY


def serve(
    node: Annotated[str, typer.Option(help="Name of the perception node.")] = "perception",
    namespace: Annotated[str, typer.Option(help="Its namespace.")] = "/",
    image: Annotated[str, typer.Option(help="Topic of the camera that it uses.")] = "image/compressed",
    audio: Annotated[str, typer.Option(help="Topic of the microphone that it uses.")] = "audio",
) -> None:
    """Serve what the perception node hears to a language model, by the Model Context Protocol over stdio."""
    try:
        from cs3_ros.mcp_server.server import build_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        typer.echo("cs3 mcp: the package mcp, version 2 or later, is missing: pip install 'mcp>=2'", err=True)
        raise typer.Exit(1) from None
    try:
        with CollisionClient(node, namespace, image=image, audio=audio, queue_size=CAPACITY) as client:
            build_server(client).run("stdio")
    except ValueError as error:
        typer.echo(f"cs3 mcp: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        pass


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the server until its client closes the connection; returns the exit status."""
    return run_command(serve, argv, name="cs3 mcp")


if __name__ == "__main__":
    sys.exit(main())
