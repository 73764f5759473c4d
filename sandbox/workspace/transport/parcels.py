"""What is delivered to the app, what comes back, and the two ways between which a workspace chooses."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal, Protocol
from urllib.parse import urlsplit

from sandbox.workspace.jsontypes import JsonObject

ParcelKind = Literal["interactive", "slash_commands", "events_api"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One delivery.

    Attributes:
        kind: Socket Mode's name for it.
        payload: The payload, of the same shape over both transports.
        accepts_response: The acknowledgement may carry an answer.
        retry: 0 for the first attempt, then 1 to 3; events only.
        retry_reason: Why the attempt before failed, in Slack's words.
    """

    kind: ParcelKind
    payload: JsonObject
    accepts_response: bool = False
    retry: int = 0
    retry_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What came back.

    Attributes:
        answered: The app acknowledged in time.
        payload: What it answered with, if anything.
        failure: Why it counts as failed: ``timeout``, ``connection_failed``, ``http_error`` or ``no_connection``.
        no_retry: The app asked that this is not tried again.
        seconds: From sending to the answer, or to giving up.
    """

    answered: bool
    payload: JsonObject | None = None
    failure: str = ""
    no_retry: bool = False
    seconds: float = 0.0


class Transport(Protocol):
    """One way to the app."""

    async def deliver(self, parcel: Parcel) -> Ack:
        """Send one parcel and wait for its acknowledgement, no longer than the rules allow."""

    async def close(self) -> None:
        """Let go of all connections."""


@dataclass(frozen=True, slots=True)
class SocketMode:
    """The app connects to the workspace and is sent envelopes over a WebSocket."""


@dataclass(frozen=True, slots=True)
class HttpMode:
    """The workspace posts signed requests to the app.

    Attributes:
        url: The app's address, on loopback; it serves interactivity, commands and events alike.
        signing_secret: Shared with the app; empty means one is made for this run.

    Raises:
        ValueError: The address is not on loopback: nothing of a stand-in leaves this machine.
    """

    url: str
    signing_secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse any host but this machine."""
        host = urlsplit(self.url).hostname or ""
        if host != "localhost" and not _is_loopback(host):
            raise ValueError(f"{self.url} is not a loopback address")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
