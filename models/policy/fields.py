"""Fields: the kinds of values in a policy, each from the text that stands in the file, or a sentence that says what to write.

A value is what its field needs it to be, never what it looks like: ``no`` in a list of names is the name ``no``, and
``012`` where a number is wanted is refused, because YAML programs disagree about it.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from approvals.change.action import AGENT_NAME, ENVIRONMENT_NAME, NAMESPACE_NAME
from approvals.change.risk import Risk
from approvals.errors import Malformed
from approvals.identity.names import Account, Channel, Group, account_of, channel_of, group_of
from approvals.policy.charter import WhenTokenRevoked
from models.policy.mistakes import did_you_mean, quoted
from models.policy.reading import UNSEEN, Scalar

T = TypeVar("T")

MISTAKE: Final = "mistake"
"""The type of pydantic's errors that carry a sentence of ours."""

LONGEST_SENTENCE: Final = 300
"""In characters: charters, reasons and descriptions are shown on cards and in digests."""

MOST_QUORUM: Final = 10
"""People: more than that never meet within a timeout."""

MOST_TIMEOUT: Final = timedelta(days=7)
"""What waits longer than from one digest to the next is forgotten."""

MOST_VALIDITY: Final = timedelta(minutes=15)
"""How long an approval is good for, at most: what was seen must still be so when it runs."""

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_INSTALLATION: Final = re.compile(r"[a-z][a-z0-9]{0,19}")
_RULE_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PATTERN: Final = re.compile(r"[A-Za-z0-9.-]{0,253}\*?")
_LOWER_PATTERN: Final = re.compile(r"[a-z0-9.-]{0,253}\*?")
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,8})")
_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?")
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_CLUSTER_NAME: Final = "A cluster's name is 1-63 lower-case letters, digits and dashes"
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NOTHING: Final = frozenset({"", "~", "null", "Null", "NULL"})


def mistake(sentence: str) -> PydanticCustomError:
    """Return *sentence* as pydantic wants to be told of it."""
    return PydanticCustomError(MISTAKE, "{sentence}", {"sentence": sentence})


def _scalar(value: object) -> Scalar:
    if isinstance(value, Scalar):
        if value.plain and value.text in _NOTHING:
            raise mistake("It has no value.")
        return value
    raise mistake(f"A single value is wanted here, not a {'list' if isinstance(value, list) else 'mapping'}.")


def _text(value: object) -> str:
    text = _scalar(value).text
    if not text.strip():
        raise mistake("It is empty.")
    if found := UNSEEN.search(text):
        raise mistake(f"The character U+{ord(found[0]):04X} cannot be seen and is not taken. Remove it.")
    return text


def _sentence(value: object) -> str:
    text = " ".join(_text(value).split())
    if len(text) > LONGEST_SENTENCE:
        raise mistake(f"It has {len(text)} characters; {LONGEST_SENTENCE} are the most.")
    return text


def _word(pattern: re.Pattern[str], what: str) -> Callable[[object], str]:
    """Return a reader of texts that are, whole, of *pattern*; *what* finishes the sentence ``... is wanted here``."""

    def read(value: object) -> str:
        text = value if isinstance(value, str) else _text(value)  # keys of mappings come as they are
        if not pattern.fullmatch(text):
            raise mistake(f"{what}, not {quoted(text)}.")
        return text

    return read


def _whole(value: object) -> int:
    scalar = _scalar(value)
    if not scalar.plain:
        raise mistake(f"A whole number is wanted here, without quotes, not {quoted(scalar.text)}.")
    if re.fullmatch(r"-?0[0-9]+", scalar.text):
        raise mistake(
            f"{quoted(scalar.text)} is one number to some YAML programs and another to others. Drop the leading 0."
        )
    if not _WHOLE.fullmatch(scalar.text):
        raise mistake(f"A whole number is wanted here, not {quoted(scalar.text)}.")
    return int(scalar.text)


def _version(value: object) -> int:
    number = _whole(value)
    if number != 1:
        raise mistake(f"This program reads version 1 of the format, not version {number}.")
    return number


def _quorum(value: object) -> int:
    number = _whole(value)
    if not 1 <= number <= MOST_QUORUM:
        raise mistake(f"A quorum is from 1 to {MOST_QUORUM} people, not {number}: nothing runs without a person.")
    return number


def _amount(value: object) -> Decimal:
    scalar = _scalar(value)
    if not scalar.plain or not _AMOUNT.fullmatch(scalar.text):
        raise mistake(f"A number such as 0.80 is wanted here, without quotes or unit, not {quoted(scalar.text)}.")
    return Decimal(scalar.text)


def _switch(value: object) -> bool:
    scalar = _scalar(value)
    if not scalar.plain or scalar.text not in {"true", "false"}:
        raise mistake(f"Write true or false, without quotes, not {quoted(scalar.text)}.")
    return scalar.text == "true"


def _duration(most: timedelta) -> Callable[[object], timedelta]:
    """Return a reader of durations up to *most*, which is included."""

    def read(value: object) -> timedelta:
        text = _text(value)
        found = _DURATION.fullmatch(text)
        if not found:
            raise mistake(
                f"A duration is a whole number with its unit, such as 90s, 15m, 1h or 2d, not {quoted(text)}."
            )
        duration = timedelta(**{_UNITS[found[2]]: int(found[1])})
        if duration > most:
            raise mistake(f"{quoted(text)} is too long; {duration_text(most)} is the most.")
        return duration

    return read


def duration_text(duration: timedelta) -> str:
    """Return *duration*, in whole seconds, as a policy writes it, in the largest unit that is exact."""
    seconds = int(duration.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _zone(value: object) -> str:
    text = _text(value)
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:  # not found; a path that leaves the database; a folder of it
        meant = did_you_mean(text, available_timezones())
        raise mistake(f"{quoted(text)} is no IANA time zone, such as Europe/Berlin.{meant}") from error
    return text


def _one_of(names: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = _text(value)
        if text not in names:
            raise mistake(f"Write one of {', '.join(names)}, not {quoted(text)}.{did_you_mean(text, names)}")
        return text

    return read


def _risk(value: object) -> Risk:
    return Risk(_one_of(tuple(Risk))(value))


def _when_token_revoked(value: object) -> WhenTokenRevoked:
    return WhenTokenRevoked(_one_of(tuple(WhenTokenRevoked))(value))


def _account(value: object) -> Account:
    return _named(account_of)(value)


def _named(parse: Callable[[str], T]) -> Callable[[object], T]:
    """Return a reader of what *parse* reads, which refuses in the same words as every other door."""

    def read(value: object) -> T:
        text = _text(value)
        try:
            return parse(text)
        except Malformed as refusal:
            raise mistake(f"{refusal.sentence.removesuffix('.')}, not {quoted(text)}.") from refusal

    return read


def _who(value: object) -> str:
    text = _text(value)
    if "*" in text:
        raise mistake("`*` would mean anybody. List people by name or account, or a Slack user group under `groups`.")
    return _account(value) if ":" in text else _word(_NAME, "A name from `people:` or an account is wanted here")(value)


def _cluster(value: object) -> str:
    if isinstance(value, dict):
        raise mistake("Name one of `clusters:` here; how it is reached, such as by a `context`, is said there.")
    return _word(_RULE_NAME, _CLUSTER_NAME)(value)


def _pattern(pattern: re.Pattern[str]) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = _text(value)
        if not pattern.fullmatch(text):
            raise mistake(f"{quoted(text)} can match nothing: names are plain, and `*` may only stand at the end.")
        return text

    return read


def _distinct(items: list[T]) -> list[T]:
    for place, item in enumerate(items):
        if item in items[:place]:
            raise mistake(f"{quoted(str(item))} is listed twice. Keep one of them.")
    return items


def _some(items: list[T]) -> list[T]:
    if not items:
        raise mistake("The list is empty. Name at least one, or leave the key out where it may be left out.")
    return items


def _read_by(reader: Callable[[Any], Any]) -> BeforeValidator:
    return BeforeValidator(reader)


Text = Annotated[str, _read_by(_text)]
Sentence = Annotated[str, _read_by(_sentence)]
Version = Annotated[int, _read_by(_version)]
Quorum = Annotated[int, _read_by(_quorum)]
Amount = Annotated[Decimal, _read_by(_amount)]
Switch = Annotated[bool, _read_by(_switch)]
LongDuration = Annotated[timedelta, _read_by(_duration(MOST_TIMEOUT))]
ShortDuration = Annotated[timedelta, _read_by(_duration(MOST_VALIDITY))]
Zone = Annotated[str, _read_by(_zone)]
Weekday = Annotated[str, _read_by(_one_of(WEEKDAYS))]
TimeOfDay = Annotated[str, _read_by(_word(_TIME_OF_DAY, "A time of day is wanted here, such as 09:00"))]
RiskWord = Annotated[Risk, _read_by(_risk)]
RevokedWord = Annotated[WhenTokenRevoked, _read_by(_when_token_revoked)]
AccountName = Annotated[Account, _read_by(_account)]
Who = Annotated[str, _read_by(_who)]
ChannelName = Annotated[Channel, _read_by(_named(channel_of))]
GroupName = Annotated[Group, _read_by(_named(group_of))]
Name = Annotated[str, _read_by(_word(_NAME, "A name is 1-63 letters, digits, dots, dashes and underscores"))]
InstallationName = Annotated[
    str, _read_by(_word(_INSTALLATION, "An installation's name is 1-20 lower-case letters and digits, a letter first"))
]
ClusterName = Annotated[str, _read_by(_word(_RULE_NAME, _CLUSTER_NAME))]
ClusterWord = Annotated[str, _read_by(_cluster)]
EnvironmentName = Annotated[
    str, _read_by(_word(ENVIRONMENT_NAME, "An environment's name is 1-63 lower-case letters, digits and dashes"))
]
AgentName = Annotated[
    str, _read_by(_word(AGENT_NAME, "An agent's name is 1-30 lower-case letters, digits and dashes, a letter first"))
]
NamespaceName = Annotated[
    str, _read_by(_word(NAMESPACE_NAME, "A namespace is named in full: 1-63 lower-case letters, digits and dashes"))
]
RuleName = Annotated[str, _read_by(_word(_RULE_NAME, "A rule's name is 1-63 lower-case letters, digits and dashes"))]
LimitName = Annotated[str, _read_by(_word(_RULE_NAME, "A limit's name is 1-63 lower-case letters, digits and dashes"))]
Pattern = Annotated[str, _read_by(_pattern(_PATTERN))]
LowerPattern = Annotated[str, _read_by(_pattern(_LOWER_PATTERN))]
Each = AfterValidator(_distinct)
AtLeastOne = AfterValidator(_some)


def key(description: str, **more: Any) -> Any:
    """Return a field whose *description* finishes the sentence that says it is missing."""
    return Field(description=description, **more)
