"""Events as they are stored: whole, in their places, with only digests of free text."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from approvals.audit.events import (
    PAUSE_STREAM,
    AuditEvent,
    EventKind,
    body_hash,
    body_of,
    changed,
    private_hash,
    request_stream,
)
from approvals.facts import facts_of
from models.audit.book import AuditBook, StoredEvent, record_of
from models.store.journal import is_told, subject_of
from models.store.tables import events, untrusted_texts
from tests.builders import ADA, NOON, a_pause
from tests.models.records import now_of

STREAM = request_stream("esc_1")
SAID = AuditEvent(
    kind=EventKind.REQUEST_VOTED,
    stream=STREAM,
    actor=ADA,
    at=NOON,
    data={"vote": {"id": "vote_1", "epoch": 3}},
    private={"reason": "not now", "note": "é\n<!channel>"},
)


def rows_of(store, table):
    """Return all rows of *table* as mappings, in the order in which they were written."""
    with store.database.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def test_an_event_is_stored_as_the_bytes_that_are_hashed(store):
    """The row holds its place, its canonical bytes and their hash; the bytes hold hashes where free text stood (I5)."""
    with store.writing() as uow:
        uow.record(SAID)

    salts = {"reason": f"{1:032x}", "note": f"{2:032x}"}
    hashes = {name: private_hash(salts[name], text) for name, text in SAID.private.items()}
    body = body_of(SAID, sequence=1, private=hashes)
    (row,) = rows_of(store, events)
    texts = rows_of(store, untrusted_texts)
    assert (row["stream"], row["sequence"], bytes(row["body"]), row["hash"]) == (STREAM, 1, body, body_hash(body))
    assert not any(text.encode() in body for text in SAID.private.values())
    assert sorted(texts, key=lambda text: text["salt"]) == [
        {"stream": STREAM, "sequence": 1, "subject": "esc_1", "name": name, "salt": salts[name], "text": text}
        for name, text in SAID.private.items()
    ]


def test_every_stream_counts_for_itself(store):
    """Places are 1, 2, 3 ... in each stream, in the order told, over units and within one."""
    other = replace(SAID, stream=PAUSE_STREAM, private={})
    for unit in ((SAID, other, SAID), (other,), (SAID,)):
        with store.writing() as uow:
            for event in unit:
                uow.record(event)

    places = [(row["stream"], row["sequence"]) for row in rows_of(store, events)]
    assert sorted(places) == [(PAUSE_STREAM, 1), (PAUSE_STREAM, 2), (STREAM, 1), (STREAM, 2), (STREAM, 3)]


def test_a_unit_that_is_left_takes_no_place(store):
    """No place is skipped where a unit came to nothing: a gap means that something is missing (I5)."""
    with store.writing() as uow:
        uow.record(SAID)

    def leave() -> None:
        with store.writing() as uow:
            uow.record(SAID)
            uow.finish()
            raise RuntimeError("left")

    with pytest.raises(RuntimeError, match="left"):
        leave()
    with store.writing() as uow:
        uow.record(SAID)

    assert [told.record.sequence for told in AuditBook(store.database).story(STREAM)] == [1, 2]


def test_a_story_is_told_with_what_stands_beside_it(store):
    """One stream in order, sealed or not, each event with its free texts."""
    pause = a_pause(engaged_at=now_of(store))
    engaged = AuditEvent(
        kind=EventKind.PAUSE_ENGAGED,
        stream=PAUSE_STREAM,
        actor=ADA,
        at=pause.engaged_at,
        data={"pause": facts_of(pause)},
        private={"reason": "checkout is on fire"},
    )
    with store.writing() as uow:
        uow.save(changed(pause, engaged))
        uow.record(SAID)

    (told,) = AuditBook(store.database).story(PAUSE_STREAM)

    hashes = {"reason": private_hash(f"{1:032x}", "checkout is on fire")}
    body = body_of(engaged, sequence=1, private=hashes)
    assert told == StoredEvent(record=record_of(body), number=None, body=body, texts={"reason": "checkout is on fire"})


def test_a_text_that_was_changed_is_not_told(sqlite_store):
    """The hash in the event tells: a story never passes off as written what somebody put there later."""
    with sqlite_store.writing() as uow:
        uow.record(replace(SAID, private={"rationale": "p99 is 4.1 s", "reason": "a sale"}))
        uow.finish()
        uow.connection.exec_driver_sql("UPDATE untrusted_texts SET text = x'00' WHERE name = 'rationale'")

    (told,) = AuditBook(sqlite_store.database).story(STREAM)

    assert (told.texts, told.altered) == ({"reason": "a sale"}, ("rationale",))


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        (SAID, "esc_1"),
        (replace(SAID, stream=PAUSE_STREAM, data={"pause": {"id": "pause_1"}}), "pause_1"),
        (replace(SAID, stream=PAUSE_STREAM, data={"pause_id": "pause_2"}), "pause_2"),
        (replace(SAID, stream="alert", data={"alert": {"id": "alert_1"}}), "alert_1"),
        (replace(SAID, stream="alert", data={"group": {"id": "alert_2"}}), "alert_2"),
        (replace(SAID, stream=PAUSE_STREAM, data={}), PAUSE_STREAM),
        (replace(SAID, stream="agent:scaler"), "agent:scaler"),
    ],
    ids=["a request's", "a pause's", "a consent's", "an alert's", "of a group of them", "of no pause", "an agent's"],
)
def test_an_event_is_about_something(event, subject):
    """What an event is about is where its texts are found and under which card it is told."""
    assert subject_of(event) == subject


def test_housekeeping_is_not_told():
    """The thread tells what a reader of the change needs; what workers and the relay do among themselves it does not."""
    untold = {kind.value for kind in EventKind if not is_told(kind)}

    assert untold == {
        "request.asked_again",
        "execution.claimed",
        "execution.sending",
        "execution.retried",
        "execution.still_unknown",
        "alert.firing",
        "alert.resolved",
        "alert.group_changed",
        "card.posting",
        "card.posted",
        "card.failed",
        "digest.posted",
        "policy.loaded",
        "agent.token_created",
        "agent.token_revoked",
        "intake.refused",
        "intake.refusals_counted",
        "clock.stepped_back",
        "chain.begun",
    }
