"""The reader: what arrived, by socket or by signed HTTP, read once and in one way, before the library sees any of it.

A payload that could be read in two ways is acted on in neither: a doubled field or key, two actions, a click that names two
places, a content type that says another encoding. Otherwise the one who checks and the one who acts could each read another one.
Only the *framing* is a reason to refuse; the words of a stop never are, whatever characters they are made of.

What is handed on is a fresh body that holds what we read and nothing else, and none of the sender's headers: the library takes
orders from some of them. What is refused says what it was, as far as can be told, and whom to tell; nobody acts on that.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import ValidationError

from approvals.identity.names import Account
from bot.slack.inbound.answers import Person
from bot.slack.inbound.forms import pairs_of
from bot.slack.inbound.payloads import Challenge, Click, Command, Event, SlackShape, Submission
from models.payloads.strict_json import Unreadable, parse

LARGEST: Final = 512 * 1024
"""In bytes; a payload carries the whole message or form that it is about."""

TOO_LARGE: Final = "Slack's message is too large"
OUR_FAULT: Final = "something broke on our side"

MOST_FIELDS: Final = 100
"""Of one form; Slack sends at most twenty."""

MOST_IDS: Final = 2
"""By how many numbers one frame is acknowledged, where it names several."""

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_UTF8: Final = frozenset({"charset=utf-8", "charset=utf8"})

_COMMAND_FIELDS: Final = frozenset({"command", "text", "team_id", "user_id", "channel_id"})
_OTHERS: Final = ("block_actions", "view_submission", "event_callback")
_USER: Final = re.compile(r"[UW][A-Z0-9]{2,20}", re.ASCII)
_CHANNEL: Final = re.compile(r"[CGD][A-Z0-9]{2,20}", re.ASCII)
_SOME_COMMAND: Final[Mapping[str, object]] = {"command": True}
_LOOKS_LIKE_COMMAND: Final = re.compile(r'"type"\s*:\s*"slash_commands"|"command"\s*:|(?:\A|&)command=', re.ASCII)
_ENVELOPE_ID: Final = re.compile(r'(?<!\\)"envelope_id"\s*:\s*"([A-Za-z0-9_.:-]{1,200})"', re.ASCII)


class About(Enum):
    """What a payload was meant to do; the value is what did not happen where it is refused."""

    COMMAND = "Nothing was paused or resumed"
    CLICK = "Nothing was decided"
    FORM = "Nothing was denied"
    ELSE = "Nothing was done"


class Unread(Exception):
    """It is acted on in no way. The sentence is ours and holds nothing of what arrived."""

    def __init__(
        self, why: str, *, hints: Iterable[object] = (), form: bool = False, defect: Exception | None = None
    ) -> None:
        """Keep why, and look into *hints*, which are readings that nobody acts on, for what it was and whom to tell.

        Args:
            why: A clause after "because".
            hints: What it may have been.
            form: Whether it may have been a submitted form where no hint says what it was: that must not close.
            defect: What broke on our side, if that was why.
        """
        super().__init__(why)
        maps = [one for one in hints if isinstance(one, Mapping)]
        self.about = _about(maps, form=form)
        self.person = next(filter(None, map(person_of, maps)), None)
        self.sentence = f"{self.about.value}: {why}."
        self.defect = defect


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message of Socket Mode."""

    ids: tuple[str, ...]
    """By which it is acknowledged: one, unless it names several."""
    body: dict[str, Any] | None
    """What is handed on; None where it is refused."""
    refused: Unread | None = None
    takes_answer: bool = True
    """Whether the acknowledgement may carry an answer."""

    def read(self) -> dict[str, Any]:
        """Return the body to hand on.

        Raises:
            Unread: It is acted on in no way.
        """
        if self.refused is not None:
            raise self.refused
        return self.body or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMessage:
    """One signed request of Slack's, not yet read."""

    body: bytes = field(repr=False)
    content_types: Sequence[str]
    """Every header of that name."""
    encodings: Sequence[str] = ()
    """Every ``Content-Encoding``."""


def read_http(message: HttpMessage) -> dict[str, Any]:
    """Return the body to hand on.

    Raises:
        Unread: It is acted on in no way.
    """
    text = message.body.decode(errors="replace")
    try:
        return _read_http(message, text)
    except Unread:
        raise
    except Exception as error:
        raise broken(error, text) from error


def broken(error: Exception, text: str = "") -> Unread:
    """Return the refusal of what an error of ours kept from being read; *text* is what arrived, as far as that is known."""
    try:
        return Unread(OUR_FAULT, hints=_any_reading(text), form=True, defect=error)
    except Exception:  # noqa: BLE001 - what broke the reading may break this as well
        return Unread(OUR_FAULT, form=True, defect=error)


def _read_http(message: HttpMessage, text: str) -> dict[str, Any]:
    if len(message.body) > LARGEST:
        raise Unread(TOO_LARGE, hints=_any_reading(text), form=True)
    kind = _media_type(message.content_types)
    if kind is None or any(encoding != "identity" for encoding in message.encodings):
        raise Unread("Slack's message does not say plainly how it is encoded", hints=_any_reading(text), form=True)
    if kind == _JSON:
        return _read_json(message.body)
    return _read_form(text)


def read_envelope(frame: str) -> Envelope | None:
    """Return what one frame of the socket says; None where it asks for no acknowledgement, as a greeting does."""
    ids = tuple(dict.fromkeys(_ENVELOPE_ID.findall(frame)))[:MOST_IDS]
    if not ids:
        return None
    try:
        if len(frame) > LARGEST:
            raise Unread(TOO_LARGE, hints=_any_reading(frame), form=True)
        try:
            value = parse(frame.encode(errors="surrogatepass"), any_text=True)
        except Unreadable as error:
            raise Unread(_flaw(error), hints=_any_reading(frame), form=True) from error
        if not isinstance(value, dict) or not isinstance(value.get("envelope_id"), str):
            raise Unread("Slack's message has no number of its own", form=True)
        payload = value.get("payload")
        return Envelope(
            ids=(value["envelope_id"],),
            body=_read_enveloped(value.get("type"), payload),
            takes_answer=value.get("accepts_response_payload") is not False,
        )
    except Unread as refused:
        return Envelope(ids=ids, body=None, refused=refused)
    except Exception as error:  # noqa: BLE001 - whatever broke, somebody waits for an acknowledgement
        return Envelope(ids=ids, body=None, refused=broken(error, frame))


def _read_enveloped(kind: object, payload: object) -> dict[str, Any]:
    if not isinstance(payload, dict):
        hints = [_SOME_COMMAND] if kind == "slash_commands" else []
        raise Unread("Slack's message holds nothing", hints=hints, form=kind == "interactive")
    match kind:
        case "slash_commands" if payload.get("type") not in _OTHERS:
            return _checked(Command, payload, _SOME_COMMAND)
        case "interactive" if "command" not in payload:
            return _read_interaction(payload)
        case "events_api" if payload.get("type") == "event_callback":
            return _checked(Event, payload)
        case _:
            raise Unread("Slack's message says two things about what it is", hints=[payload])


def _read_json(data: bytes) -> dict[str, Any]:
    try:
        value = parse(data, any_text=True)
    except Unreadable as error:
        raise Unread(_flaw(error), hints=[_loosely(data.decode(errors="replace"))]) from error
    kinds: dict[object, type[SlackShape]] = {"event_callback": Event, "url_verification": Challenge}
    if not isinstance(value, dict) or not isinstance(value.get("type"), str) or value["type"] not in kinds:
        raise Unread("Slack sends this in another form", hints=[value])
    return _checked(kinds[value["type"]], value)


def _read_form(text: str) -> dict[str, Any]:
    try:
        pairs = pairs_of(text, most=MOST_FIELDS)
    except ValueError as error:
        raise Unread("Slack's message has too many fields", form="payload" in text) from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unread("Slack's message names a field twice", hints=_readings(pairs), form="payload" in fields)
    if "payload" not in fields:
        return _checked(Command, fields, _SOME_COMMAND)
    if fields.keys() & _COMMAND_FIELDS:
        raise Unread("Slack's message is a command and something else at once", hints=_readings(pairs), form=True)
    try:
        payload = parse(fields["payload"].encode(errors="replace"), any_text=True)
    except Unreadable as error:
        raise Unread(_flaw(error), hints=_readings(pairs), form=True) from error
    if not isinstance(payload, dict):
        raise Unread("Slack's message holds nothing", form=True)
    return _read_interaction(payload)


def _read_interaction(payload: dict[str, Any]) -> dict[str, Any]:
    match payload.get("type"):
        case "block_actions":
            return _checked(Click, payload)
        case "view_submission":
            return _checked(Submission, payload)
        case _:
            raise Unread("it is of a kind that Countersign has no use for", hints=[payload])


def _checked(shape: type[SlackShape], value: dict[str, Any], *hints: object) -> dict[str, Any]:
    """Return what we read of *value*, as *shape* has it; *hints* say more of what it was meant to be."""
    try:
        return shape.model_validate(value).model_dump(exclude_none=True)
    except ValidationError as error:
        raise Unread(_first_of(error), hints=[value, *hints]) from error


def _first_of(error: ValidationError) -> str:
    """Return what is wrong, in words of ours: the library's own quote what arrived."""
    first = error.errors(include_input=False, include_url=False)[0]
    return (
        "Slack's message can be read in two ways"
        if first["type"] == "value_error"
        else "Slack's message lacks what it needs"
    )


def _flaw(error: Unreadable) -> str:
    two_ways = error.code == "duplicate_key"
    return "Slack's message names a key twice" if two_ways else "Slack's message cannot be read"


def _media_type(headers: Sequence[str]) -> str | None:
    """Return which of the two kinds that Slack sends it is; None where it is neither, or says two things."""
    if len(headers) != 1:
        return None
    kind, *parameters = (part.strip().casefold().replace('"', "") for part in headers[0].split(";"))
    return kind if kind in {_FORM, _JSON} and len(parameters) < 2 and set(parameters) <= _UTF8 else None  # noqa: PLR2004


# What it may have been, for the answer alone.


def about_of(one: Mapping[str, Any]) -> About:
    """Return what a payload that we do not act on was meant to do."""
    return _about([one], form=False)


def _about(maps: list[Mapping[str, Any]], *, form: bool) -> About:
    kinds = [one.get("type") for one in maps]
    if "view_submission" in kinds:
        return About.FORM
    if any("command" in one for one in maps):
        return About.COMMAND
    if "block_actions" in kinds:
        return About.CLICK
    return About.FORM if form else About.ELSE


def person_of(one: Mapping[str, Any]) -> Person | None:
    """Return whom it came from, as it says itself; used for an answer and nothing else."""
    user = _id_in(one, "user") or one.get("user_id")
    channel = _id_in(one, "channel") or one.get("channel_id") or _id_in(one, "container", "channel_id")
    if not isinstance(user, str) or not isinstance(channel, str):
        return None
    if not _USER.fullmatch(user) or not _CHANNEL.fullmatch(channel):
        return None
    url = one.get("response_url")
    return Person(account=Account(user), user=user, channel=channel, response_url=url if isinstance(url, str) else None)


def _id_in(one: Mapping[str, Any], name: str, key: str = "id") -> object:
    inner = one.get(name)
    return inner.get(key) if isinstance(inner, Mapping) else None


def _any_reading(text: str) -> list[object]:
    """Return everything that a body or a frame may have meant: fields, JSON, and what lies in an envelope."""
    try:
        pairs = parse_qsl(text, max_num_fields=MOST_FIELDS, errors="replace") if not text.startswith("{") else []
    except ValueError:
        pairs = []
    whole = _loosely(text)
    inner = whole.get("payload") if isinstance(whole, dict) else None
    return [*_readings(pairs), whole, inner, *([] if pairs or whole is not None else [_glimpse(text)])]


def _glimpse(text: str) -> dict[str, object]:
    """Return what kind of thing it looks like where nothing can be read at all."""
    if "view_submission" in text:
        return {"type": "view_submission"}
    if _LOOKS_LIKE_COMMAND.search(text):
        return dict(_SOME_COMMAND)
    return {"type": "block_actions"} if "block_actions" in text else {}


def _readings(pairs: list[tuple[str, str]]) -> list[object]:
    """Return everything that a form may have meant: each payload in it, and its own fields."""
    payloads = [_loosely(value) for name, value in pairs if name == "payload"]
    return [*payloads, {name: value for name, value in pairs if name != "payload"}] if pairs else payloads


def _loosely(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
