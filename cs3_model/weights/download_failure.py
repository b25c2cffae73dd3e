"""Why a download failed, in words: what `httpx` and `huggingface_hub` raise, told apart."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import TypeGuard

import httpx
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

_BUSY = (408, 425, 429, 500, 502, 503, 504)


def failure_reason(error: BaseException) -> str:
    """Says in one line what went wrong."""
    if is_offline(error):
        return "offline mode is on (HF_HUB_OFFLINE)"
    if is_full_disk(error):
        return f"the disk is full ({error.strerror})"
    if isinstance(error, LocalEntryNotFoundError):
        return failure_reason(error.__cause__) if error.__cause__ else "the server cannot be reached"
    if isinstance(error, HfHubHTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason_phrase}"
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, httpx.HTTPError):
        return f"{_kind(error)} ({text})"
    return text


def may_pass(error: BaseException) -> bool:
    """Whether the same download may work later: the server was busy, or the connection slow or cut."""
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__:
        return may_pass(error.__cause__)
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _BUSY
    is_cut = isinstance(error, (httpx.TimeoutException, httpx.ReadError, httpx.RemoteProtocolError))
    return is_cut or (isinstance(error, OSError) and not isinstance(error, httpx.HTTPError))


def is_offline(error: BaseException) -> bool:
    """Whether downloads are switched off."""
    return isinstance(error, OfflineModeIsEnabled) or (
        isinstance(error, LocalEntryNotFoundError) and constants.is_offline_mode()
    )


def is_full_disk(error: BaseException) -> TypeGuard[OSError]:
    """Whether there is no room for the file."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def _kind(error: httpx.HTTPError) -> str:
    causes = list(_causes(error))
    if isinstance(error, httpx.ProxyError):
        return "the proxy refused"
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or "SSL" in str(error):
        return "the server's certificate or encryption is not accepted"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "the server's name is not known (DNS)"
    if isinstance(error, httpx.TimeoutException):
        return "the server answers too slowly"
    return "the connection failed"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
