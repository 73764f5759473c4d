"""Admit: who is calling? Tokens are made, looked up and revoked here; a token itself is seen once, by whoever made it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from approvals.audit.events import INTAKE_STREAM, ITSELF, AuditEvent, EventKind, Transition, agent_stream
from approvals.canonical import Value
from approvals.errors import Clash, Malformed, Missing, Refused, Unauthorised
from approvals.facts import facts_of
from approvals.identity.names import Channel
from approvals.identity.tokens import Token, TokenKind, created, revoke, token_hash
from approvals.ports.ids import NewId
from approvals.ports.policies import Policies
from approvals.ports.reading import Reading
from approvals.ports.store import Store, UnitOfWork
from approvals.workflow.monitor import RefusedDeliveries, refused

TRIES: Final = 3
"""How often it is tried to count one more refusal of a monitor while another one is counted."""

LONGEST: Final = timedelta(days=366)
"""The longest that a token may be good for."""


class TokenOver(Unauthorised):
    """The credential was good once. The answer does not tell; what a monitor that still shows it does is put on record."""

    def __init__(self, sentence: str, *, token: Token) -> None:
        """Keep whose it was."""
        super().__init__(sentence)
        self.token = token


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
        (found,) = self.which([(token_hash(secret), kind)])
        if isinstance(found, Unauthorised):
            raise found
        return found

    def which(self, asked: Sequence[tuple[str, TokenKind]]) -> tuple[Token | Unauthorised, ...]:
        """Return the good token for each hash and kind, in order, or why there is none; all in one look at the store."""
        with self.store.glancing() as reading:
            return tuple(_judged(reading, hashed, kind) for hashed, kind in asked)

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
        return transition.noun

    def record_refusal(self, token: Token, refusal: Refused) -> None:
        """Write down that an authenticated call was refused, without what it said; of a monitor's, people are told.

        Raises:
            Clash: Several refusals of one monitor kept getting in each other's way.
        """
        channel = Channel("")
        if token.kind is TokenKind.ALERTMANAGER:
            environments = self.policies.current().environments
            channel = next((environments[name].channel for name in token.environments if name in environments), channel)
        self._record(token, code=refusal.code, field=refusal.field, channel=channel)

    def record_over(self, token: Token) -> None:
        """Write down that a monitor still delivers with *token*, which is over: that is where alarms stop without a sound.

        Nobody is told in a channel, since anybody may show a token that was given up; ``status`` says so.

        Raises:
            Clash: Several refusals of one monitor kept getting in each other's way.
        """
        code = "token_expired" if token.revoked_at is None else "token_revoked"
        self._record(token, code=code, field=None, channel=Channel(""))

    def _record(self, token: Token, *, code: str, field: str | None, channel: Channel) -> None:
        tries = 0
        while True:
            tries += 1
            try:
                with self.store.writing() as uow:
                    self._write(uow, token, code=code, field=field, channel=channel)
            except Clash:
                if tries == TRIES:
                    raise
            else:
                return

    def _write(self, uow: UnitOfWork, token: Token, *, code: str, field: str | None, channel: Channel) -> None:
        told: RefusedDeliveries | None = None
        if token.kind is TokenKind.ALERTMANAGER:
            (environment,) = token.environments
            last = uow.last_refused(environment, token.holder, channel)
            new_id = self.new_id("refused")
            told = refused(last, new_id=new_id, token=token, channel=channel, code=code, now=uow.now)
        data: dict[str, Value] = {"token": token.id, "code": code, "field": field}
        if told is not None:
            data["refused_deliveries"] = facts_of(told)
        event = AuditEvent(
            kind=EventKind.INTAKE_REFUSED,
            stream=agent_stream(token.holder),
            actor=f"token:{token.id}",
            at=uow.now,
            data=data,
        )
        uow.save(Transition(noun=token, nouns=() if told is None else (told,), events=(event,)))

    def record_strangers(self, counts: dict[str, int]) -> None:
        """Write down, as one event, how many unauthenticated calls were refused, by ``code source``."""
        with self.store.writing() as uow:
            uow.record(
                AuditEvent(
                    kind=EventKind.INTAKE_REFUSALS,
                    stream=INTAKE_STREAM,
                    actor=ITSELF,
                    at=uow.now,
                    data={"counts": dict(sorted(counts.items()))},
                )
            )


def _judged(reading: Reading, hashed: str, kind: TokenKind) -> Token | Unauthorised:
    token = reading.token_by_hash(hashed)
    if token is None or token.kind is not kind:
        return Unauthorised("The credential is missing or not good.")
    if not token.is_good(now=reading.now):
        return TokenOver("The credential is missing or not good.", token=token)
    return token
