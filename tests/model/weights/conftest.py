from __future__ import annotations

from tests.model.file_server import cache, hub, impatient, server

__all__ = ["cache", "hub", "impatient", "server"]
