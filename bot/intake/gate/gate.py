"""The gate: every call passes it. Credential, rate and size are checked before anything is parsed; refusals are answered here.

Whatever is raised behind it ends here, too: a refusal becomes a problem document and goes on record, anything else is a
defect, answered with a fixed text and logged without the exception's own words, which may quote what was sent.
"""

import traceback
from http import HTTPMethod
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from approvals.errors import Refused, Unavailable
from approvals.identity.tokens import Token, TokenKind
from bot.intake.gate.credentials import Credentials
from bot.intake.gate.rates import Buckets, Clock
from bot.intake.gate.refusals import Refusals
from bot.intake.http.bodies import ClientGone, check_declared, linger, read_body, replaying
from bot.intake.http.calls import check_head, headers_called
from bot.intake.http.crowd import MOST_CONNECTIONS
from bot.intake.http.problems import Throttled, answer_to, defect, for_monitors
from bot.intake.http.sources import Sources
from bot.observe.metrics import Metrics
from models.payloads.alertmanager import LARGEST_BODY as LARGEST_DELIVERY
from models.payloads.escalation import LARGEST_BODY as LARGEST_ESCALATION

log = structlog.get_logger(__name__)

CALLER: Final = "countersign.caller"
"""Where the gate leaves the caller's token in the scope."""

BODY: Final = "countersign.body"
"""Where the gate leaves the body's bytes in the scope."""

_AGENTS: Final = "/v1/"
_MONITORS: Final = "/v1/alerts/"
_LARGEST_OTHER: Final = 1024 * 1024
"""For what has a credential of its own, such as a signature over its body."""

MOST_AT_ONCE: Final = MOST_CONNECTIONS * 3 // 4
"""Calls with a token that are being answered side by side: what is left of the room is for Slack's, and for the probes."""

_METHODS: Final = frozenset(HTTPMethod)


class Gate:
    """ASGI middleware around all routes."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        sources: Sources,
        credentials: Credentials,
        calls: Buckets,
        refusals: Refusals,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """Keep what is behind the gate and who stands at it; *calls* bounds the pace of each known caller."""
        self._app = app
        self._sources = sources
        self._credentials = credentials
        self._calls = calls
        self._refusals = refusals
        self._metrics = metrics
        self._clock = clock
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call in, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock()
        answer = _Answer(send)
        try:
            await self._let_in(scope, receive, answer)
        except ClientGone:
            return
        except Refused as refused:
            await self._refuse(refused, scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the outermost place: logged, counted, and no
            await self._fail(error, scope, receive, answer)
        self._metrics.answered(
            method=scope["method"] if scope["method"] in _METHODS else "other",
            route=getattr(scope.get("route"), "path", "other"),
            status=answer.status,
            seconds=self._clock() - began,
        )

    async def _let_in(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        path: str = scope["path"]
        check_head(scope)
        if not path.startswith(_AGENTS):
            await self._pass_on(scope, receive, answer)
            return
        # Callers with tokens may be answered slowly, such as by a long poll. Else they could fill the room with calls that
        # nobody may be put out of, and a denial would find the door shut.
        if self._at_once >= MOST_AT_ONCE:
            raise Unavailable("Too much is going on just now; try again in a moment.", code="busy")
        self._at_once += 1
        try:
            kind = TokenKind.ALERTMANAGER if path.startswith(_MONITORS) else TokenKind.AGENT
            scope[CALLER] = token = await self._credentials.caller(scope, kind, source=self._sources.of(scope))
            if after := self._calls.take(f"{token.kind}:{token.holder}"):
                raise Throttled("Too many calls.", after=after, code="too_many_calls")
            await self._pass_on(scope, receive, answer)
        finally:
            self._at_once -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        most = _most_bytes(scope["path"])
        check_declared(scope, most=most)
        scope[BODY] = body = await read_body(receive, most=most)
        await self._app(scope, replaying(body, receive), answer)

    async def _refuse(self, refused: Refused, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        token: Token | None = scope.get(CALLER)
        await self._refusals.note(refused, token=token, source=self._sources.of(scope))
        if scope["path"].startswith(_MONITORS):
            refused = for_monitors(refused)
        if BODY in scope or not _has_body(scope):
            await answer_to(refused)(scope, receive, answer)
            return
        await answer_to(refused, close=True)(scope, receive, answer.kept_open)
        if not headers_called(scope, b"expect"):  # Whoever asked first has not sent it.
            await linger(receive)
        await answer({"type": "http.response.body"})

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        log.error("intake.defect", kind=type(error).__name__, frames=frames_of(error))
        if not answer.status:
            await defect()(scope, receive, answer)


class _Answer:
    """Passes an answer on and keeps its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def kept_open(self, message: Message) -> None:
        """Pass an answer on without ending it."""
        await self({**message, "more_body": True} if message["type"] == "http.response.body" else message)


def frames_of(error: BaseException) -> list[str]:
    """Return where *error* went through, and the kinds of its causes, without a word of any of them."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    cause = error.__cause__ or error.__context__
    return frames if cause is None else [*frames, f"because of {type(cause).__name__}", *frames_of(cause)]


def _most_bytes(path: str) -> int:
    if path.startswith(_MONITORS):
        return LARGEST_DELIVERY
    return LARGEST_ESCALATION if path.startswith(_AGENTS) else _LARGEST_OTHER


def _has_body(scope: Scope) -> bool:
    lengths = headers_called(scope, b"content-length")
    return bool(headers_called(scope, b"transfer-encoding")) or any(length.strip(b"0") for length in lengths)
