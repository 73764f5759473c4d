"""Reading: what can be asked of the store without changing it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from approvals.identity.names import Channel
from approvals.identity.tokens import Token
from approvals.ports.rows import AskerState, EffectAsked, EventText, HeldBack, Page, Question, StoredPlan
from approvals.workflow.alert import Alert, AlertGroup
from approvals.workflow.execution import Attempt, Execution
from approvals.workflow.monitor import RefusedDeliveries
from approvals.workflow.pause import Consent, Pause, Scope
from approvals.workflow.request import Request
from approvals.workflow.votes import Vote


class Reading(Protocol):
    """What can be asked of the store without changing it; one consistent look."""

    @property
    def now(self) -> datetime:
        """The store's instant: the same for the whole unit, taken when first asked for."""
        ...

    @property
    def leader(self) -> int:
        """The generation of the leader's lease that whoever asks works under; 0 for none."""
        ...

    def epoch(self) -> int:
        """Return the pause epoch."""
        ...

    def pauses(self, *, ended_after: int | None = None) -> tuple[Pause, ...]:
        """Return the open pauses and, if asked, those that ended in an epoch above *ended_after*."""
        ...

    def pause(self, pause_id: str) -> Pause | None:
        """Return one pause, open or not."""
        ...

    def consents(self, pause_id: str) -> tuple[Consent, ...]:
        """Return the agreements to end one pause so far."""
        ...

    def request(self, request_id: str) -> Request | None:
        """Return one request."""
        ...

    def question(self, request_id: str) -> Question | None:
        """Return one request with its votes and its plan."""
        ...

    def requests_of(
        self,
        agent: str,
        *,
        state: str | None,
        limit: int,
        cursor: str | None,
        environments: frozenset[str] = frozenset(),
        namespaces: frozenset[str] = frozenset(),
    ) -> Page:
        """Return an agent's requests, newest first, at most *limit* of them; a page may be short while its cursor goes on.

        Rows that cannot be read are left out.

        Args:
            agent: Whose.
            state: In which state alone; None for any.
            limit: At most.
            cursor: The id before which to begin; None for the newest.
            environments: In which alone; empty for any.
            namespaces: In which alone; empty for any.
        """
        ...

    def standing(self, agent: str, key: str | None) -> AskerState:
        """Return how *agent* stands just before it asks under an idempotency key."""
        ...

    def effect_asked(self, effect_key: str, question_key: str, *, since: datetime) -> EffectAsked:
        """Return what was asked for one effect: the pending question with *question_key*, and what :meth:`same_effect` gives."""
        ...

    def same_effect(self, effect_key: str, *, since: datetime) -> tuple[Request, ...]:
        """Return the latest requests of one effect that were asked or decided after *since*, newest first, 20 at most.

        Those that cannot be read are left out: they tell of the past, and must not keep a new question from people.
        """
        ...

    def overdue(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of pending requests whose deadline is not after :attr:`now`, most overdue first."""
        ...

    def asked_otherwise(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of requests that were asked in another form than this release's and of which nothing was sent.

        They wait for an answer, or are approved and have not been sent: *limit* of them at most.
        """
        ...

    def is_in_play(self, scope: Scope) -> bool:
        """Tell whether something in *scope* waits for an answer, or was approved and is not over."""
        ...

    def resumes_due(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of open pauses whose duration is over and whose resume was not asked for, longest due first."""
        ...

    def asked_with_revoked_tokens(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of open requests whose token is revoked and that do not say so yet, at most *limit* of them.

        Open are those that wait for an answer, and approved ones whose execution is queued or claimed.
        """
        ...

    def votes(self, request_id: str) -> tuple[Vote, ...]:
        """Return the live votes on one request, oldest first."""
        ...

    def execution_of(self, request_id: str) -> Execution | None:
        """Return the execution of one request, if it was approved."""
        ...

    def execution(self, execution_id: str) -> Execution | None:
        """Return one execution."""
        ...

    def due_executions(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of executions a worker should look at now: due, and not leased to another.

        Those come first whose last look could be finished, however long the others have been due: what failed just now never
        stands before what was not looked at; what has ended and is only watched on comes last. Of equals, the longest due comes
        first.
        """
        ...

    def left_behind(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of executions that an earlier leader has merely claimed: the present one goes on with them at once.

        None outside of a leader's work, and none whose last look could not be finished: those wait for their turn.
        """
        ...

    def setbacks(self, execution_id: str) -> int:
        """Return how many looks in a row at one execution could not be finished; zero where there is none."""
        ...

    def under_way_on(self, cluster_uid: str, object_uid: str) -> tuple[Execution, ...]:
        """Return what is not over on one target, oldest first."""
        ...

    def last_attempt(self, execution_id: str) -> Attempt | None:
        """Return the newest start record of one execution."""
        ...

    def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return one stored plan."""
        ...

    def image(self, hashed: str) -> bytes | None:
        """Return one stored image, as it lies there."""
        ...

    def texts(self, subject: str) -> Mapping[str, str]:
        """Return the free texts that stand beside a subject's events, by name, the newest of each; erased ones are left out."""
        ...

    def said(self, subject: str) -> tuple[EventText, ...]:
        """Return all of them, oldest first, each with who said it on which occasion."""
        ...

    def shown_at(self, request_id: str) -> datetime | None:
        """Return when a card of one request first stood in its channel, as far as is known; None where none did."""
        ...

    def perhaps_shown(self, request_ids: Sequence[str]) -> frozenset[str]:
        """Return those among *request_ids* of which a card stood in its channel, or may have: a post's reply was lost."""
        ...

    def held_back(self, channel: Channel, *, besides: str) -> HeldBack | None:
        """Return what only informs and waits to be posted in *channel*, *besides* one subject; None where nothing does."""
        ...

    def token_by_hash(self, hashed: str) -> Token | None:
        """Return the token with that hash."""
        ...

    def token(self, token_id: str) -> Token | None:
        """Return one token, good or not."""
        ...

    def tokens(self) -> tuple[Token, ...]:
        """Return all tokens, oldest first."""
        ...

    def last_alert(self, environment: str, fingerprint: str) -> Alert | None:
        """Return the last time that an alert burnt, told apart by what its sender keeps."""
        ...

    def open_alert_group(self, environment: str, key: str) -> AlertGroup | None:
        """Return the group of alerts with that key that has not resolved."""
        ...

    def alert_group(self, group_id: str) -> AlertGroup | None:
        """Return one group of alerts by its id."""
        ...

    def alerts_in(self, group_id: str, *, limit: int) -> tuple[Alert, ...]:
        """Return alerts of one group, at most *limit*: those that burn first, the latest start first.

        Those that cannot be read are left out; the group's own numbers count them.
        """
        ...

    def last_refused(self, environment: str, monitor: str, channel: Channel) -> RefusedDeliveries | None:
        """Return what one monitor was refused last, as it is told in *channel*."""
        ...

    def refused_deliveries(self, refused_id: str) -> RefusedDeliveries | None:
        """Return one row of refused deliveries by its id."""
        ...

    def refused_lately(self, *, since: datetime, limit: int) -> tuple[RefusedDeliveries, ...]:
        """Return what monitors were refused after *since*, the latest first, at most *limit* rows that can be read."""
        ...

    def policy_text(self, version: str) -> str | None:
        """Return the text of a policy version that was once loaded."""
        ...
