"""Three places for a process each on one database, and the harm that comes to them.

A process that is gone is followed by another. Who leads is read where an operator reads it: in their logs.
"""

import signal
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from tests.acceptance.agent import Agent
from tests.acceptance.place import Place, Service, lines_of
from tests.fixtures.postgres import PostgresDatabase, PostgresServer

SLOTS: Final = "abc"
_LEADS: Final = "leader.leads"
_LEADS_NO_MORE: Final = frozenset({"leader.lost", "leader.gave_back"})


class Harm(StrEnum):
    """What may come to a process, or to the database under all of them."""

    KILL = "kill -9"
    STOP = "stopped past its lease"
    TERM = "graceful stop"
    CUT = "connections severed"
    RESTART = "PostgreSQL restarted"
    CRASH = "PostgreSQL crashed"


@dataclass
class Replicas:
    """The processes that run."""

    place: Place
    server: PostgresServer
    database: PostgresDatabase
    open_ones: ExitStack
    running: dict[str, Service] = field(default_factory=dict)
    asleep: str | None = None
    """Which slot's process stands still."""
    count: int = 0

    def fill(self) -> None:
        """Have a process at every place."""
        for slot in SLOTS:
            if slot not in self.running:
                self.count += 1
                self.running[slot] = self.open_ones.enter_context(self.place.serving(f"{slot}-{self.count}"))

    @property
    def awake(self) -> list[Service]:
        """The processes that run and do not stand still."""
        return [service for slot, service in sorted(self.running.items()) if slot != self.asleep]

    def agent(self, token: str) -> Agent:
        """Return an agent that asks a process which does not stand still."""
        return Agent(service=self.awake[0], token=token)

    def leader(self) -> str | None:
        """Return the slot of the process that leads; None where none of them says so."""
        turns = [(turn, slot) for slot, service in self.running.items() if (turn := _turn_of(service)) is not None]
        return max(turns)[1] if turns else None

    def leads_since(self, instant: float) -> float | None:
        """Return when, after *instant*, one of the processes began to lead; None where none has."""
        begun = [at for service in self.running.values() for event, at in _turns(service) if event == _LEADS]
        return min((at for at in begun if at > instant), default=None)

    def harm(self, how: Harm, slot: str) -> Service:
        """Do it to one of them, or to the database of all, and return the one."""
        service = self.running[slot]
        match how:
            case Harm.KILL:
                self.running.pop(slot).kill()
            case Harm.STOP:
                service.process.send_signal(signal.SIGSTOP)
                self.asleep = slot
            case Harm.TERM:
                self.running.pop(slot)
                service.process.send_signal(signal.SIGTERM)
            case Harm.CUT:
                self.server.cut_off(self.database)
            case Harm.RESTART:
                self.server.restart(signal.SIGINT)
            case Harm.CRASH:
                self.server.restart(signal.SIGQUIT)
        return service

    def wake(self) -> None:
        """Let the process that stands still go on."""
        if self.asleep is not None:
            self.running[self.asleep].process.send_signal(signal.SIGCONT)
            self.asleep = None


def _turns(service: Service) -> list[tuple[str, float]]:
    """Return what a process has logged of its turns as leader, and when, in seconds since 1970."""
    return [
        (line["event"], datetime.fromisoformat(line["timestamp"]).timestamp())
        for line in lines_of(service.log)
        if line.get("event") == _LEADS or line.get("event") in _LEADS_NO_MORE
    ]


def _turn_of(service: Service) -> float | None:
    """Return since when a process leads; None where it does not."""
    turns = _turns(service)
    return turns[-1][1] if turns and turns[-1][0] == _LEADS else None


def gave_back_at(service: Service) -> float | None:
    """Return when a process that was told to stop gave its lease back; None where it had none."""
    return next((at for event, at in _turns(service) if event == "leader.gave_back"), None)
