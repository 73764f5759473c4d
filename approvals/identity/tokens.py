"""Tokens: what an agent or a monitor shows to be let in. Only the hash of one is ever kept."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from approvals.audit.events import AuditEvent, EventKind, Transition, agent_stream, changed
from approvals.errors import Settled
from approvals.facts import facts_of
from approvals.identity.place import Place


class TokenKind(StrEnum):
    """What a token lets its holder do."""

    AGENT = "agent"
    ALERTMANAGER = "alertmanager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One credential. An agent's names the agent and may be narrowed; a monitor's names the environment."""

    id: str
    hash: str
    kind: TokenKind
    holder: str
    """The agent's name, or a name for the monitor."""
    environments: frozenset[str]
    """Where it may be used; for an agent, empty means wherever the charter allows."""
    namespaces: frozenset[str]
    """Likewise, within those environments."""
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None = None
    revision: int = 1

    def is_good(self, *, now: datetime) -> bool:
        """Tell whether it lets anybody in: neither revoked nor, from ``expires_at`` on, expired."""
        return self.revoked_at is None and now < self.expires_at

    def is_for_environment(self, name: str) -> bool:
        """Tell whether it may be used for that environment."""
        return not self.environments or name in self.environments

    def is_for_namespace(self, name: str) -> bool:
        """Tell whether it may be used for that namespace, in the environments it is for."""
        return not self.namespaces or name in self.namespaces

    def covers(self, place: Place) -> bool:
        """Tell whether what an agent asked about *place* is there for it at all: to be seen, awaited and taken back (I16)."""
        return (
            self.holder == place.agent
            and self.is_for_environment(place.environment)
            and self.is_for_namespace(place.namespace)
        )


def token_hash(secret: str) -> str:
    """Return the SHA-256, in hex, under which a token is kept. A token has 256 random bits, so it needs no salt."""
    return sha256(secret.encode()).hexdigest()


def created(token: Token) -> Transition[Token]:
    """Return the transition that makes *token* valid."""
    return changed(token, _event(EventKind.TOKEN_CREATED, token, token.created_by, token.created_at))


def revoke(token: Token, *, now: datetime, by: str) -> Transition[Token]:
    """Return the transition that ends *token*.

    Raises:
        Settled: It is revoked already.
    """
    if token.revoked_at is not None:
        raise Settled("That token is revoked already.")
    revoked = replace(token, revoked_at=now, revision=token.revision + 1)
    return changed(revoked, _event(EventKind.TOKEN_REVOKED, revoked, by, now))


def _event(kind: EventKind, token: Token, actor: str, at: datetime) -> AuditEvent:
    return AuditEvent(kind=kind, stream=agent_stream(token.holder), actor=actor, at=at, data={"token": facts_of(token)})
