"""Admit: who is calling? Tokens are made, looked up and revoked here; a token itself is seen once, by whoever made it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from approvals.audit import INTAKE_STREAM, ITSELF, AuditEvent, Kind, agent_stream
from approvals.errors import Malformed, Missing, Refused, Unauthorised
from approvals.ports import NewId, Policies, Store
from approvals.tokens import Token, TokenKind, created, revoke, token_hash

LONGEST: Final = timedelta(days=366)
"""The longest that a token may be good for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """The verbs of tokens and of refused calls."""

    store: Store
    policies: Policies
    new_id: NewId

    def who(self, secret: str, kind: TokenKind) -> Token:
        """Return the good token of *kind* whose secret this is.

        Raises:
            Unauthorised: There is none: unknown, expired, revoked, or of the other kind; the answer does not tell which.
        """
        with self.store.glancing() as reading:
            token = reading.token_by_hash(token_hash(secret))
            if token is None or token.kind is not kind or not token.is_good(now=reading.now):
                raise Unauthorised("The credential is missing or not good.")
        return token

    def create(
        self,
        secret: str,
        *,
        kind: TokenKind,
        holder: str,
        environments: Iterable[str],
        namespaces: Iterable[str],
        good_for: timedelta,
        by: str,
    ) -> Token:
        """Return a new token whose secret is *secret*, which is not kept.

        Raises:
            Malformed: The policy does not know the agent or an environment, or it would be good for too long or no time.
        """
        policy = self.policies.current()
        places = frozenset(environments)
        if kind is TokenKind.AGENT and holder not in policy.charters:
            raise Malformed(f"The policy has no agent called {holder}.", code="unknown_agent")
        if kind is TokenKind.ALERTMANAGER and len(places) != 1:
            raise Malformed("A monitor's token names exactly one environment.", code="one_environment")
        unknown = sorted(places - policy.environments.keys())
        if unknown:
            raise Malformed(f"The policy has no environment called {unknown[0]}.", code="unknown_environment")
        if not timedelta(0) < good_for <= LONGEST:
            raise Malformed(f"A token is good for at most {LONGEST.days} days.", code="out_of_range")
        with self.store.writing() as uow:
            token = Token(
                id=self.new_id("tok"),
                hash=token_hash(secret),
                kind=kind,
                holder=holder,
                environments=places,
                namespaces=frozenset(namespaces),
                created_at=uow.now,
                created_by=by,
                expires_at=uow.now + good_for,
            )
            uow.save(created(token))
        return token

    def revoke(self, token_id: str, *, by: str) -> Token:
        """Return the token, revoked: from now on it lets nobody in.

        Raises:
            Missing: There is no such token.
            Settled: It is revoked already.
        """
        with self.store.writing() as uow:
            token = uow.token(token_id)
            if token is None:
                raise Missing("There is no such token.")
            transition = revoke(token, now=uow.now, by=by)
            uow.save(transition)
        return next(noun for noun in transition.nouns if isinstance(noun, Token))

    def record_refusal(self, token: Token, refusal: Refused) -> None:
        """Write down that an authenticated call was refused, without what it said."""
        with self.store.writing() as uow:
            data = {"token": token.id, "code": refusal.code, "field": refusal.field}
            uow.record(
                AuditEvent(
                    kind=Kind.INTAKE_REFUSED,
                    stream=agent_stream(token.holder),
                    actor=f"token:{token.id}",
                    at=uow.now,
                    data=data,
                )
            )

    def record_strangers(self, counts: dict[str, int]) -> None:
        """Write down, as one event, how many unauthenticated calls were refused, by ``code source``."""
        with self.store.writing() as uow:
            uow.record(
                AuditEvent(
                    kind=Kind.INTAKE_REFUSALS,
                    stream=INTAKE_STREAM,
                    actor=ITSELF,
                    at=uow.now,
                    data={"counts": dict(sorted(counts.items()))},
                )
            )
