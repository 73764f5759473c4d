"""Escalations: an agent opens one, asks how it stands, waits for an answer, takes it back, lists its own.

Whose an escalation is comes from the token and nothing else; another agent's, and one outside of the token's own scope, is
answered like one that does not exist (I16). There is no path on which an agent could decide anything.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, Field
from starlette.requests import Request as Call
from starlette.responses import Response

from approvals.canonical import LARGEST, Value, tagged_hash
from approvals.change.plan import Bound, bound_of
from approvals.errors import Garbled, Missing, Unauthorised
from approvals.identity.tokens import Token
from approvals.ports.reading import Reading
from approvals.ports.store import Store
from approvals.usecases.intake.questions import earlier_asked
from approvals.workflow.escalation import Escalation
from approvals.workflow.request import Request, State
from bot.intake.deps import Deps
from bot.intake.gate.gate import BODY, CALLER
from bot.intake.http.bodies import ClientGone
from bot.intake.http.calls import check_json, check_no_body, escalation_id_of, idempotency_key_of, query_of
from bot.intake.http.problems import OnRecord, Throttled
from bot.intake.routes.listing import page_for
from bot.intake.routes.polls import PollLook, Polls
from models.payloads import (
    MOST_LISTED,
    EscalationPageView,
    EscalationPayload,
    EscalationView,
    escalation_of,
    read,
    view_of,
)
from models.payloads.shapes import MOST_COUNTED, PayloadShape, WantedId
from models.payloads.strict_json import parse

T = TypeVar("T")

LONGEST_WAIT_S: Final = 60
"""Of one long poll: shorter than the patience of most proxies."""

PLANS_AT_ONCE: Final = 4
"""Half of the cluster's threads: however many escalations come in, executions find a thread."""

MOST_PLANS: Final = 36
"""That run or wait for their turn; above it the answer is "not now"."""


SHORT_BODY: Final = 8 * 1024
"""In bytes: up to it reading a body takes well under a millisecond, less than handing it to a thread would."""


class NoQuery(PayloadShape):
    """The query of a call that takes none."""


class PollQuery(PayloadShape):
    """Whether to wait, and for what."""

    after_version: Annotated[
        int | None,
        Field(ge=0, le=MOST_COUNTED, description="Answer at once if the version is another one than this."),
    ] = None
    wait_seconds: Annotated[
        int, Field(ge=0, le=LONGEST_WAIT_S, description="How long to wait for another version; needs after_version.")
    ] = 0


def _state(value: object) -> object:
    return State(value) if isinstance(value, str) and value in set(State) else value


class ListQuery(PayloadShape):
    """Which of the agent's escalations, as far as the token's scope goes."""

    status: Annotated[State | None, BeforeValidator(_state), Field(description="Only those with this status.")] = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED, description="How many on one page, at most.")] = 50
    cursor: Annotated[
        WantedId | None,
        Field(description="The next_cursor of the page before; only the last page has none."),
    ] = None


class Escalations:
    """The paths under ``/v1/escalations``."""

    def __init__(self, deps: Deps, polls: Polls) -> None:
        """Keep the verbs, and who watches for changes."""
        self._deps = deps
        self._polls = polls
        self._pace = deps.buckets(deps.rates.escalations)
        self._turns = asyncio.Semaphore(PLANS_AT_ONCE)
        self._planning = 0

    async def open(self, call: Call) -> Response:
        """Put a request before people, or be told why not."""
        scope = call.scope
        query_of(scope, NoQuery)
        check_json(scope)
        key, token, body = idempotency_key_of(scope), scope[CALLER], scope[BODY]
        escalation = await self._read(body, key=key, token=token)
        if after := self._pace.take(token.holder):
            raise Throttled("Too many escalations.", after=after, code="too_many_escalations")
        created, view = await self._planned(lambda: self._opened(escalation, token))
        status = HTTPStatus.ACCEPTED if created else HTTPStatus.OK
        return _answer(view, status, Location=f"/v1/escalations/{view.id}")

    async def show(self, call: Call) -> Response:
        """Tell how one escalation stands, at once or as soon as it changes."""
        query = query_of(call.scope, PollQuery)
        check_no_body(call.scope[BODY])
        asked, token = escalation_id_of(call.scope), call.scope[CALLER]
        view = await self._view(asked, token)
        if view.version == query.after_version and query.wait_seconds:
            await self._wait(call, view, token, query)
            view = await self._view(asked, token)
        return _answer(view, HTTPStatus.OK)

    async def cancel(self, call: Call) -> Response:
        """Take one back."""
        query_of(call.scope, NoQuery)
        check_no_body(call.scope[BODY])
        asked, token = escalation_id_of(call.scope), call.scope[CALLER]

        def work() -> EscalationView:
            request = self._deps.cancel(asked, token=token)
            with self._deps.store.reading() as reading:
                return view_in(reading, request)

        return _answer(await self._deps.pools.intake.run(work), HTTPStatus.OK)

    async def list(self, call: Call) -> Response:
        """List the agent's own that the token may see, newest first."""
        query = query_of(call.scope, ListQuery)
        check_no_body(call.scope[BODY])
        token = call.scope[CALLER]

        def work() -> EscalationPageView:
            with self._deps.store.reading() as reading:
                page = page_for(token, reading, state=query.status, limit=query.limit, cursor=query.cursor)
                views = [view for request in page.requests for view in _readable(reading, request)]
            return EscalationPageView(escalations=views, next_cursor=page.next_cursor)

        return _answer(await self._deps.pools.intake.run(work), HTTPStatus.OK)

    async def _planned(self, work: Callable[[], T]) -> T:
        """Run *work*, which asks the cluster, in its turn.

        Raises:
            Throttled: Too much waits for its turn already.
        """
        if self._planning >= MOST_PLANS:
            raise Throttled("Too many escalations are being looked into.", after=1.0, code="too_many_plans")
        self._planning += 1
        try:
            async with self._turns:
                return await self._deps.pools.cluster.run(work)
        finally:
            self._planning -= 1

    async def _read(self, body: bytes, *, key: str, token: Token) -> Escalation:
        if len(body) <= SHORT_BODY:
            return _escalation(body, key=key, token=token)
        return await self._deps.pools.intake.run(lambda: _escalation(body, key=key, token=token))

    def _opened(self, escalation: Escalation, token: Token) -> tuple[bool, EscalationView]:
        """Return whether the escalation was made just now, and how it stands; it is committed.

        Raises:
            OnRecord: It was refused, now or when its key was first used.
        """
        opened = self._deps.escalate(escalation, token)
        request = opened.request
        if request.refusal is not None:
            raise OnRecord(request.refusal.sentence, code=request.refusal.code, escalation_id=request.id)
        if opened.created:
            return True, view_of(request, bound=opened.bound, execution=None, earlier=opened.earlier)
        with self._deps.store.reading() as reading:
            return False, view_in(reading, request)

    async def _view(self, asked: str, token: Token) -> EscalationView:
        def work() -> EscalationView:
            with self._deps.store.reading() as reading:
                _check_still_good(reading, token)
                request = reading.request(asked)
                if request is None or not token.covers(request.place):
                    raise Missing("You have no such escalation.")
                return view_in(reading, request)

        return await self._deps.pools.intake.run(work)

    async def _wait(self, call: Call, view: EscalationView, token: Token, query: PollQuery) -> None:
        """Return when it changed or the time is over.

        Raises:
            Gone: The caller hung up, so that nothing is held for it any longer.
        """
        waiting = asyncio.ensure_future(
            self._polls.wait(view.id, token, version=view.version, seconds=query.wait_seconds)
        )
        hung_up = asyncio.ensure_future(_hung_up(call))
        try:
            await asyncio.wait({waiting, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise ClientGone
            await waiting
        finally:
            waiting.cancel()
            hung_up.cancel()


def look_in(store: Store) -> Callable[[frozenset[str], frozenset[str]], PollLook]:
    """Return how polls look at *store*."""

    def look(escalations: frozenset[str], tokens: frozenset[str]) -> PollLook:
        with store.reading() as reading:
            versions = {asked: version for asked in escalations if (version := _version(reading, asked)) is not None}
            good = frozenset(one for one in tokens if _is_good(reading, one))
        return PollLook(versions=versions, good=good)

    return look


def view_in(reading: Reading, request: Request) -> EscalationView:
    """Return what the agent sees of *request*, read with *reading*."""
    # Only a denial has a person's reason; asking for texts costs a query, so nobody else's are read.
    texts = reading.texts(request.id) if request.state is State.DENIED else {}
    return view_of(
        request,
        bound=_bound_in(reading, request),
        execution=reading.execution_of(request.id),
        reason=texts.get("reason"),
        earlier=earlier_asked(reading, request),
        shown_at=reading.shown_at(request.id),
    )


def _readable(reading: Reading, request: Request) -> Iterator[EscalationView]:
    """Give what the agent sees of one of many; nothing where it cannot be read, which must not hide the others."""
    with suppress(Garbled):
        yield view_in(reading, request)


def _bound_in(reading: Reading, request: Request) -> Bound | None:
    plan = None if request.fingerprint is None else reading.plan(request.fingerprint)
    try:
        return None if plan is None else bound_of(plan.bound)
    except (ValueError, TypeError, KeyError) as error:
        raise Garbled("What this escalation would change cannot be read any more; an operator has to look.") from error


def body_hash_of(value: object) -> str:
    """Return the hash of a body that :func:`models.payloads.strict_json.parse` read; order of keys and blanks do not count."""
    return tagged_hash("countersign/body/2", body=_canonical(value))


def _canonical(value: Any) -> Value:
    match value:
        case Decimal():
            return {"number": str(value)}
        case int() if not -LARGEST <= value <= LARGEST:
            return {"number": str(value)}
        case dict():
            return {key: _canonical(inner) for key, inner in value.items()}
        case list():
            return [_canonical(inner) for inner in value]
        case _:
            return value  # type: ignore[no-any-return]  # text, whole number, bool or null: nothing else is parsed


def _escalation(body: bytes, *, key: str, token: Token) -> Escalation:
    value = parse(body)
    payload = read(EscalationPayload, value)
    return escalation_of(payload, agent=token.holder, key=key, body_hash=body_hash_of(value))


def _version(reading: Reading, asked: str) -> int | None:
    """Return an escalation's version; None where there is none, or where it cannot be read: that poll waits, others go on."""
    with suppress(Garbled):
        request = reading.request(asked)
        if request is not None:
            return view_of(request, bound=None, execution=reading.execution_of(request.id)).version
    return None


def _is_good(reading: Reading, hashed: str) -> bool:
    with suppress(Garbled):
        token = reading.token_by_hash(hashed)
        return token is not None and token.is_good(now=reading.now)
    return False


def _check_still_good(reading: Reading, token: Token) -> None:
    if not _is_good(reading, token.hash):
        raise Unauthorised("The credential is missing or not good.")


async def _hung_up(call: Call) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass


def _answer(view: BaseModel, status: HTTPStatus, **headers: str) -> Response:
    return Response(
        view.model_dump_json(),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **headers},
    )
