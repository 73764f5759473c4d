"""What every part of the stand-in shares, put together once by :mod:`sandbox.workspace.server`."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.workspace.faults import Faults
from sandbox.workspace.feed import Feed
from sandbox.workspace.ids import Timestamps, secret
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.rates import Rates
from sandbox.workspace.seed import Seed
from sandbox.workspace.store import Store
from sandbox.workspace.strictness import Strictness
from sandbox.workspace.tickets import Tickets

CALLS_KEPT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One Web API call as it arrived, and what was answered; kept for tests to read."""

    method: str
    arguments: JsonObject
    answer: JsonObject
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The credentials of this run. None of them opens the page, and the page's key opens none of what they open."""

    bot: str = field(default_factory=lambda: secret("xoxb-"), repr=False)
    app: str = field(default_factory=lambda: secret("xapp-1-"), repr=False)
    signing_secret: str = field(default_factory=secret, repr=False)
    page_key: str = field(default_factory=secret, repr=False)
    verification: str = field(default_factory=secret, repr=False)


class Core:
    """Seed, rules, clock and state."""

    def __init__(
        self, *, seed: Seed, strictness: Strictness, tokens: Tokens, now: Callable[[], float], history: int
    ) -> None:
        self.seed = seed
        self.strictness = strictness
        self.tokens = tokens
        self.now = now
        self.feed = Feed()
        self.store = Store(seed, self.feed, history=history)
        self.tickets = Tickets(strictness=strictness, now=now)
        self.rates = Rates(now)
        self.timestamps = Timestamps(now)
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self.status_lines: dict[str, str] = {}
        self.origin = ""  # Known once the port is bound, e.g. http://127.0.0.1:40123
