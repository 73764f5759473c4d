"""What the commands need from the product, as one protocol. Each part is opened only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from approvals.identity.names import Account

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from approvals.identity.tokens import Token
    from approvals.presentation.digest import WeeklyDigest
    from approvals.usecases.execution.abandon import Abandon
    from approvals.usecases.intake.admit import Admit
    from approvals.usecases.operation.pause import EngagePause, Resume
    from approvals.usecases.people.decide import Decide
    from approvals.usecases.people.revocations import FollowRevocations
    from approvals.workflow.monitor import RefusedDeliveries
    from approvals.workflow.pause import Pause
    from models.audit.book import AuditBook


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """What is known of the service that works on this database."""

    sentence: str
    """Whether it runs, by what it last wrote here."""
    legs: tuple[Mapping[str, str], ...]
    """What it stands on, as it last wrote; empty where that is too old to say anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOverview:
    """How things stand."""

    policy: str
    """Its version, or that it cannot be read."""
    service: ServiceStatus
    database: str
    """What kind it is, and whether its schema is current; never its address."""
    cluster: str
    """Which cluster the settings name; not whether it answers."""
    epoch: int
    pauses: tuple[Pause, ...]
    counts: Mapping[str, int]
    """What waits, by name: requests pending, executions unknown, cards behind, events unsealed."""
    refused_deliveries: tuple[RefusedDeliveries, ...] = ()
    """What monitors were refused within the last day, the latest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which database a command wrote to, and whether a service works on it."""

    place: str
    """The file, or server and name; no secret."""
    served_at: datetime | None
    """When a service last ran on it, to within a few seconds; None where none ever has."""
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoWishes:
    """What somebody asked of the demo."""

    kubeconfig: Path | None
    context: str | None
    directory: Path | None
    port: int


class CommandParts(Protocol):
    """Everything the commands can ask for."""

    @property
    def account(self) -> Account:
        """Who is at the command line: ``os:NAME``."""
        ...

    def serve(self) -> int:
        """Run the service until it is told to stop, and return the exit code."""
        ...

    def demo(self, wishes: DemoWishes) -> int:
        """Run the demo until it is told to stop, and return the exit code."""
        ...

    def check_policy(self, path: Path | None) -> Iterable[str]:
        """Return what the policy file says, in lines.

        Raises:
            approvals.errors.Malformed: It holds mistakes.
        """
        ...

    def manifests(self, environment: str) -> str:
        """Return the Kubernetes manifests that one environment needs, as YAML."""
        ...

    def admit(self) -> Admit:
        """Return the verbs of tokens."""
        ...

    def follow_revocations(self) -> FollowRevocations:
        """Return the verb that sees to what was asked with revoked tokens."""
        ...

    def new_secret(self) -> str:
        """Return a fresh token secret."""
        ...

    def tokens(self) -> tuple[Token, ...]:
        """Return every token."""
        ...

    def where(self) -> Where:
        """Return which database it is, and when a service last ran on it."""
        ...

    def engage_pause(self) -> EngagePause:
        """Return the verb that stops."""
        ...

    def resume(self) -> Resume:
        """Return the verb that lets things go on."""
        ...

    def decide(self) -> Decide:
        """Return the verb by which somebody answers."""
        ...

    def abandon(self) -> Abandon:
        """Return the verb that closes an unknown outcome."""
        ...

    def status(self) -> ServiceOverview:
        """Return how things stand."""
        ...

    def book(self) -> AuditBook:
        """Return the audit trail."""
        ...

    def digests(self) -> tuple[WeeklyDigest, ...]:
        """Return, for each environment, the digest of the seven days up to now."""
        ...

    def upgrade(self) -> str:
        """Bring the database's schema up to date and return what was done, in a sentence."""
        ...
