"""The leader: of several processes that serve one database, one does what one alone may do.

Two relays would post every card twice. Each process asks for the lease twice a second. The one that has it makes its duties anew,
bound to that lease: whatever they write is fenced by it, also where a thread of an earlier turn wakes up late. It renews the
lease in a thread that does nothing else. A holder whose renewals do not come through stops by its own clock, before anybody
else can have begun. On SQLite one process serves, and always leads.

Where the database stays out of reach the service ends in good order, and its supervisor starts it anew: a process that can do
nothing must not look like one that works.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread
from typing import Final, Generic, Protocol, TypeVar

import structlog

from approvals.errors import Refused, Unavailable
from bot.health.legs import LegKind, Legs
from models.store.fence import Lease, LeaseLost
from models.store.leases import LEASE_SECONDS, Leases

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.5
"""How often the lease is renewed or asked for: what one gives back is another's within this time."""

TRUSTED_SECONDS: Final = LEASE_SECONDS - 0.5
"""How long after a renewal was asked for its holder goes on by its own clock: less than the lease holds by the database's."""

AWAY_SECONDS: Final = 300.0
"""How long the database may be out of reach: longer than it takes to restart or to fail over."""

SILENT_AFTER: Final = timedelta(seconds=30)
"""How long the thread may say nothing before its leg counts as silent."""


class Duty(Protocol):
    """What a leader does, as far as its end is concerned."""

    def settle(self) -> None:
        """Return when nothing of it is under way any more, or after a bounded time."""
        ...

    def end(self) -> None:
        """Take back what only a leader can say of how things stand."""
        ...


D = TypeVar("D", bound=Duty)


@dataclass(slots=True, kw_only=True)
class _Turn(Generic[D]):
    """One lease of ours and what is done under it."""

    lease: Lease
    duties: D
    until: float
    """When it is not trusted any more unless it is renewed, in seconds that only count up."""


class Leadership(Generic[D]):
    """Whether this process leads. Any thread may ask."""

    def __init__(
        self,
        leases: Leases,
        *,
        duties: Callable[[Lease], D],
        monotonic: Callable[[], float],
        legs: Legs,
        end: Callable[[], object],
    ) -> None:
        """Begin as one that does not lead.

        Args:
            leases: The lease, as this process asks for it.
            duties: Makes what is done under a lease.
            monotonic: Seconds that only count up.
            legs: Are told how it goes.
            end: Ends the service in good order; called once, from any thread.
        """
        self._leases = leases
        self._duties = duties
        self._monotonic = monotonic
        self._legs = legs
        self._end = end
        self._turn: _Turn[D] | None = None
        self._reached_at = monotonic()
        self._stopping = Event()
        self._thread = Thread(target=self._keep_looking, name="leader", daemon=True)
        self.given_up: Refused | None = None
        """Why the service ends; None while it goes on."""

    @property
    def leads(self) -> bool:
        """Whether this process leads at this moment, by its own clock."""
        return self._trusted() is not None

    @property
    def trusted_until(self) -> float:
        """Until when, in seconds that only count up, this process may begin to send what one alone may send."""
        turn = self._turn
        return float("-inf") if turn is None else turn.until

    def check(self, lease: Lease) -> None:
        """Return where *lease* is ours at this moment, by our own clock: the last question before something is sent.

        Raises:
            LeaseLost: It is not.
        """
        turn = self._trusted()
        if turn is None or turn.lease != lease:
            raise LeaseLost

    def only(self, work: Callable[[D], object]) -> Callable[[], None]:
        """Return *work*, done where this process leads at that moment and left out where it does not."""

        def led() -> None:
            turn = self._trusted()
            if turn is None:
                return
            try:
                work(turn.duties)
            except LeaseLost:
                # What was left undone is another's by now, or comes again.
                log.info("leader.work_left", generation=turn.lease.generation)

        return led

    def start(self) -> None:
        """Ask for the lease once, and from now on again and again."""
        self._legs.expect(LegKind.WORKER_LOCK, within=SILENT_AFTER)
        self._look_safely()
        self._thread.start()

    def stop(self) -> None:
        """Let what is under way end, then give the lease back; it is renewed until then."""
        turn = self._turn
        if turn is not None:
            turn.duties.settle()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        turn = self._drop()
        if turn is None:
            return
        try:
            self._leases.give_back(turn.lease)
        except Refused as error:
            log.warning("leader.not_given_back", why=error.for_operators)
        else:
            log.info("leader.gave_back", generation=turn.lease.generation)

    def look(self) -> None:
        """Renew the lease, or ask for it.

        Raises:
            approvals.errors.Clash: An older release works on this database.
            approvals.errors.Unavailable: The database cannot be reached.
        """
        asked_at = self._monotonic()
        turn = self._turn
        if turn is None:
            lease = self._leases.take()
            if lease is not None:
                until = asked_at + TRUSTED_SECONDS
                self._turn = _Turn(lease=lease, duties=self._duties(lease), until=until)
                log.info("leader.leads", generation=lease.generation)
        elif self._leases.renew(turn.lease):
            turn.until = asked_at + TRUSTED_SECONDS
        else:
            self._drop()
            log.warning("leader.lost", generation=turn.lease.generation)

    def _drop(self) -> _Turn[D] | None:
        """Lead no more, and return the turn that this ends, if there was one."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.duties.end()
        return turn

    def _trusted(self) -> _Turn[D] | None:
        turn = self._turn
        return turn if turn is not None and self._monotonic() < turn.until else None

    def _keep_looking(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self._look_safely()

    def _look_safely(self) -> None:
        """Look, and take down how it went; whoever must not lead beside an older release stops at once."""
        try:
            self.look()
        except Refused as error:
            self._legs.failing(LegKind.WORKER_LOCK, code=error.cause_code, why=error.for_operators)
            if isinstance(error, Unavailable):
                self._give_up_after_long(error)
            else:
                self._drop()
        except Exception:
            # The outermost loop of a thread: without it nobody would lead, and nobody would be told.
            log.exception("leader.broken")
            self._legs.failing(LegKind.WORKER_LOCK, code="raised", why="It raised; see the log.")
        else:
            self._reached_at = self._monotonic()
            self._legs.good(LegKind.WORKER_LOCK)

    def _give_up_after_long(self, error: Unavailable) -> None:
        away = self._monotonic() - self._reached_at
        if away < AWAY_SECONDS or self.given_up is not None:
            return
        log.critical("leader.given_up", why=error.sentence, seconds=round(away))
        self.given_up = error
        self._end()
