"""What the trail of a long run must say, held against what was seen from outside (I1, I2, I3, I4, I6)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from tests.acceptance.recorder import ENDS, Question, Recorder

Events = list[dict[str, Any]]
DEMO: Final = "demo"


def findings(recorder: Recorder) -> list[str]:
    """Return what is wrong, in sentences; nothing is right."""
    trail = recorder.trail()
    told = [event["data"]["pause"] for event in trail.get("pause", ()) if "pause" in event["data"]]
    pauses = {pause["id"]: pause for pause in told}.values()
    found: list[str] = []
    for question in recorder.questions:
        events = trail[f"request:{question.id}"]
        wrong = (*_outcome(question, events), *_writes(recorder, question, events), *_paused(events, pauses))
        found += [f"{question.id} ({question.namespace}/{question.name}): {one}" for one in wrong]
    asked = {(one.namespace, one.name) for one in recorder.questions}
    strangers = [write for write in recorder.writes if write[:2] not in asked]
    return found + [f"written without a question: {write}" for write in strangers]


def _outcome(question: Question, events: Events) -> Iterator[str]:
    """I3: one outcome at most; by silence where nobody answered in time; an approval before the deadline."""
    ends = [event for event in events if event["kind"] in ENDS]
    if len(ends) > 1:
        yield f"several outcomes: {[end['kind'] for end in ends]}"
    if question.is_silent and [end["kind"] for end in ends] != ["request.expired"]:
        yield f"nobody answered in time, and it ended with {[end['kind'] for end in ends]}"
    for end in ends:
        if end["kind"] == "request.approved" and _instant(end["at"]) >= _instant(end["data"]["request"]["deadline"]):
            yield "approved after its deadline"


def _writes(recorder: Recorder, question: Question, events: Events) -> Iterator[str]:
    """I1, I2, I6: one write at most, after an approval and after its start record were committed, by an executor."""
    writes = recorder.writes_of(question)
    if len(writes) > 1:
        yield f"written {len(writes)} times"
    for kind in ("request.approved", "execution.armed", "execution.sending"):
        said = [_instant(event["at"]).timestamp() for event in events if event["kind"] == kind]
        for who, at in writes:
            if not any(one <= at for one in said):
                yield f"written by {who} with no {kind} before it"
    has_applied = any(event["kind"] == "execution.applied" for event in events)
    if has_applied and not writes:
        yield "said to be applied, and never written"


def _paused(events: Events, pauses: Iterable[dict[str, Any]]) -> Iterator[str]:
    """I4: no start carries an epoch between a pause over it and that pause's end."""
    for event in events:
        if event["kind"] != "execution.armed":
            continue
        epoch, namespace = event["data"]["attempt"]["epoch"], event["data"]["execution"]["namespace"]
        for pause in pauses:
            if pause["scope"]["name"] == f"{DEMO}/{namespace}" and pause["engaged_epoch"] <= epoch < (
                pause["ended_epoch"] or epoch + 1
            ):
                yield f"started in epoch {epoch}, while {pause['id']} held it"


def _instant(value: str) -> datetime:
    return datetime.fromisoformat(value)
