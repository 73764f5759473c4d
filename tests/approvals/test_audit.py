"""The audit chain: any change to a record is found and named; what a bare chain cannot show is not claimed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import framed
from approvals.audit.events import (
    GENESIS,
    ITSELF,
    AuditEvent,
    Beside,
    EventKind,
    Fault,
    Sealed,
    Transition,
    Verdict,
    agent_stream,
    body_hash,
    body_of,
    chain_hash,
    changed,
    facts_of_body,
    private_hash,
    request_stream,
    seal_of,
    unchanged,
    verify,
)
from approvals.canonical import NotCanonical, Value, decode, encode, hash_of
from tests.approvals.strategies import FEW
from tests.builders import ADA, NOON, TICK, a_pause

STREAMS = ("request:esc_1", "pause", "request:esc_2")


def an_event(**changed: object) -> AuditEvent:
    """Return a plain event of Ada's."""
    event = AuditEvent(
        kind=EventKind.REQUEST_VOTED, stream=STREAMS[0], actor=ADA, at=NOON, data={"vote": {"id": "vote_1"}}, private={}
    )
    return replace(event, **changed)  # type: ignore[arg-type]


def sealed(events: Sequence[AuditEvent], *, start: str = GENESIS) -> list[Sealed]:
    """Return the chain over *events*, made as the format's page says."""
    records: list[Sealed] = []
    last: dict[str, int] = {}
    chain = start
    for number, event in enumerate(events, start=1):
        sequence = last[event.stream] = last.get(event.stream, 0) + 1
        body = body_of(event, sequence=sequence, private={})
        hashed = body_hash(body)
        chain = chain_hash(chain, number=number, stream=event.stream, sequence=sequence, hashed=hashed)
        records.append(
            Sealed(number=number, stream=event.stream, sequence=sequence, body=body, hashed=hashed, chain=chain)
        )
    return records


@pytest.mark.parametrize(
    ("hashes", "is_as_written"),
    [
        ({"reason": private_hash("salt", "a sale")}, True),
        ({"reason": private_hash("salt", "a fire")}, False),
        ({"rationale": private_hash("salt", "a sale")}, False),
        ({}, False),
        (None, False),
    ],
    ids=["its hash", "another's", "under another name", "of none", "no hashes at all"],
)
def test_a_text_is_as_written_where_the_event_holds_its_hash(hashes, is_as_written):
    """Words beside the chain count as somebody's only where the chain remembers exactly them."""
    assert Beside(name="reason", salt="salt", text="a sale").is_as_written({"private": hashes}) is is_as_written


def a_chain(length: int = 6) -> list[Sealed]:
    """Return a chain over three streams in turn."""
    return sealed([an_event(stream=STREAMS[n % 3], at=NOON + n * TICK, data={"n": n}) for n in range(length)])


def test_the_stored_bytes_hold_the_whole_event_at_its_place():
    """Tag, kind, stream, sequence, actor, instant, data and the hashes of what stands beside: nothing else."""
    event = an_event(private={"reason": "not kept here"})

    body = body_of(event, sequence=3, private={"reason": "d" * 64})

    assert decode(body) == {
        "tag": "countersign/event/2",
        "kind": "request.voted",
        "stream": "request:esc_1",
        "sequence": 3,
        "actor": ADA,
        "at": "2026-11-20T12:00:00.000000Z",
        "data": {"vote": {"id": "vote_1"}},
        "private": {"reason": "d" * 64},
    }
    assert b"not kept here" not in body
    assert body_hash(body) == sha256(body).hexdigest()


def test_what_has_no_canonical_form_is_never_stored():
    """A float in an event's facts stops the transaction, rather than be hashed in one of several ways."""
    with pytest.raises(NotCanonical):
        body_of(an_event(data={"share": 0.5}), sequence=1, private={})


def test_a_private_text_is_remembered_by_salt_and_text():
    """Both move the hash and neither runs into the other, so that a guess without the salt proves nothing."""
    hashes = {
        private_hash("s", "tx"),
        private_hash("st", "x"),
        private_hash("s", "t"),
        private_hash("", "stx"),
    }

    assert len(hashes) == 4
    expected = sha256('{"salt":"s","tag":"countersign/private/2","text":"é"}'.encode()).hexdigest()
    assert private_hash("s", "é") == expected


def test_a_seal_links_number_place_and_hash_to_what_came_before():
    """The chain hash is made as the page says, so that a verifier written from it agrees."""
    place = '"sequence":3,"stream":"pause","tag":"countersign/seal/2"'
    linked = f'{{"hash":"{"b" * 64}","number":7,"previous":"{"a" * 64}",{place}}}'
    expected = sha256(linked.encode()).hexdigest()

    assert chain_hash("a" * 64, number=7, stream="pause", sequence=3, hashed="b" * 64) == expected
    assert GENESIS == "0" * 64


def test_field_confusion_makes_other_bytes():
    """T-AUD-09: actor ``a`` and stream ``bc`` is not actor ``ab`` and stream ``c``, in the body and in the seal alike."""
    one = body_of(an_event(actor="a", stream="bc"), sequence=1, private={})
    other = body_of(an_event(actor="ab", stream="c"), sequence=1, private={})

    assert body_hash(one) != body_hash(other)
    seals = {
        chain_hash(GENESIS, number=1, stream=stream, sequence=sequence, hashed=hashed)
        for stream, sequence, hashed in (("a", 11, "b"), ("a1", 1, "b"), ("a", 1, "1b"), ("a", 1, "b"))
    }
    assert len(seals) == 4


@pytest.mark.parametrize("length", [0, 1, 6])
def test_a_whole_chain_holds_and_is_unanchored(length):
    """Without a head from outside, the verdict says how far it was checked and claims no anchor."""
    records = a_chain(length)

    head = records[-1].chain if records else GENESIS
    assert verify(iter(records)) == Verdict(checked=length, head=head, fault=None, anchored_at=None)


def test_a_head_from_outside_says_up_to_where_the_chain_is_the_same():
    """A digest printed three seals ago anchors the chain at that seal, however far it has grown since."""
    records = a_chain()

    assert verify(records, head=records[2].chain) == Verdict(
        checked=6, head=records[-1].chain, fault=None, anchored_at=3
    )


FLIPS: dict[str, tuple[Callable[[Sealed], Sealed], str]] = {
    "body": (
        lambda one: replace(one, body=one.body.replace(b"voted", b"vetoe")),
        "the event's bytes are not those that were hashed",
    ),
    "actor": (
        lambda one: replace(one, body=one.body.replace(b"U0ADA", b"U0EVE")),
        "the event's bytes are not those that were hashed",
    ),
    "time": (
        lambda one: replace(one, body=one.body.replace(b"2026-11", b"2026-10")),
        "the event's bytes are not those that were hashed",
    ),
    "body and hash": (
        lambda one: rehashed(replace(one, body=one.body.replace(b"voted", b"vetoe"))),
        "the seal does not follow from the one before",
    ),
    "hash": (
        lambda one: replace(one, hashed="f" + one.hashed[1:] if one.hashed[0] != "f" else "0" + one.hashed[1:]),
        "the event's bytes are not those that were hashed",
    ),
    "chain": (lambda one: replace(one, chain="f" * 64), "the seal does not follow from the one before"),
    "number": (lambda one: replace(one, number=one.number + 1), "seal {number} is missing"),
    "sequence": (
        lambda one: replace(one, sequence=one.sequence + 1),
        "event {sequence} of the stream is missing",
    ),
    "stream, to a new one": (
        lambda one: replace(one, stream="policy", sequence=1),
        "the seal does not follow from the one before",
    ),
}


def rehashed(record: Sealed) -> Sealed:
    """Return *record* with the hash of the body it has now."""
    return replace(record, hashed=body_hash(record.body))


@pytest.mark.parametrize(("flip", "why"), FLIPS.values(), ids=FLIPS.keys())
@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_record_that_was_changed_is_named(place, flip, why):
    """T-AUD-01: whatever is changed in a record, the verdict names that record, and how far the chain held."""
    records = a_chain()
    records[place] = changed = flip(records[place])

    assert verify(records) == Verdict(
        checked=place,
        head=records[place - 1].chain if place else GENESIS,
        fault=Fault(
            number=changed.number,
            stream=changed.stream,
            sequence=changed.sequence,
            why=why.format(number=place + 1, sequence=place // 3 + 1),
        ),
        anchored_at=None,
    )


@FEW
@given(st.integers(0, 5), st.data())
def test_any_byte_of_a_body_counts(place, data):
    """T-AUD-01: flip one byte anywhere in a stored body and the record is named."""
    records = a_chain()
    body = bytearray(records[place].body)
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    records[place] = replace(records[place], body=bytes(body))

    verdict = verify(records)

    assert verdict.fault is not None
    assert (verdict.fault.number, verdict.checked) == (place + 1, place)


@pytest.mark.parametrize(
    ("tamper", "number", "why"),
    [
        (lambda records: records[:2] + records[3:], 4, "seal 3 is missing"),
        (lambda records: records[1:], 2, "seal 1 is missing"),
        (lambda records: [*records[:3], records[2], *records[3:]], 3, "seal 4 is missing"),
        (lambda records: [*records[:2], records[3], records[2], *records[4:]], 4, "seal 3 is missing"),
        (lambda records: [records[0], *records], 1, "seal 2 is missing"),
    ],
    ids=["one deleted", "the first deleted", "one doubled", "two swapped", "the first doubled"],
)
def test_deleting_doubling_and_swapping_are_found(tamper, number, why):
    """T-AUD-02: numbers run without gaps and repetitions, so whatever moves is found at the first place that is wrong."""
    verdict = verify(tamper(a_chain()))

    assert verdict.fault is not None
    assert (verdict.fault.number, verdict.fault.why) == (number, why)


def test_a_record_put_in_between_is_found():
    """T-AUD-02: a forged record renumbered into the middle does not follow, and what came after follows no more."""
    records = a_chain()
    forged = sealed([an_event(stream="policy", data={"forged": True})], start=records[2].chain)[0]
    shifted = [replace(record, number=record.number + 1) for record in records[3:]]

    verdict = verify([*records[:3], replace(forged, number=4), *shifted])

    assert verdict.fault is not None
    assert (verdict.fault.number, verdict.checked) == (4, 3)


def test_an_event_that_left_its_stream_is_missed_there():
    """T-AUD-02: numbers renumbered over a deleted record, its stream still lacks one."""
    records = a_chain()
    kept = [records[0], records[1], records[2], *(replace(one, number=one.number - 1) for one in records[4:])]

    verdict = verify(kept)

    assert verdict.fault is not None
    assert verdict.fault.number == 4
    later = sealed([an_event(stream=STREAMS[0]), an_event(stream=STREAMS[0])])
    again = verify([later[0], replace(later[1], sequence=3)])
    assert again.fault == Fault(number=2, stream=STREAMS[0], sequence=3, why="event 2 of the stream is missing")


def test_a_body_sealed_in_anothers_place_is_found():
    """A chain rebuilt over bodies that were swapped between streams or sequences: each body names its own place."""
    for stream, sequence in ((STREAMS[1], 1), (STREAMS[0], 2)):
        body = body_of(an_event(stream=stream), sequence=sequence, private={})
        hashed = body_hash(body)
        chain = chain_hash(GENESIS, number=1, stream=STREAMS[0], sequence=1, hashed=hashed)
        record = Sealed(number=1, stream=STREAMS[0], sequence=1, body=body, hashed=hashed, chain=chain)

        assert verify([record]) == Verdict(
            checked=0,
            head=GENESIS,
            fault=Fault(
                number=1,
                stream=STREAMS[0],
                sequence=1,
                why="the event's bytes name another place than the one it stands in",
            ),
            anchored_at=None,
        )


@pytest.mark.parametrize(
    "body",
    [b"", b"rubbish", b"null", b"[]", b"{}", b"[" * 100_000, b"m0:", b"m1:" * 100_000 + b"n"],
    ids=lambda body: f"{body[:9]!r}",
)
def test_a_body_that_is_no_event_is_a_fault_and_no_crash(body):
    """However a sealed body fails to be an event, the verifier names the record and goes home."""
    record = Sealed(number=1, stream="pause", sequence=1, body=body, hashed=body_hash(body), chain="")

    verdict = verify([replace(record, chain=hash_of(seal_of(record, previous=GENESIS)))])

    assert verdict.fault is not None
    assert verdict.fault.why == "the event's bytes name another place than the one it stands in"


@pytest.mark.parametrize("lost", [1, 3, 6])
def test_a_chain_cut_short_is_consistent_and_misses_its_anchor(lost):
    """T-AUD-03: without an anchor nothing is wrong to see; with one, the head from outside is not met."""
    records = a_chain()
    cut = records[: 6 - lost]

    assert verify(cut).fault is None
    assert verify(cut).anchored_at is None
    assert verify(cut, head=records[-1].chain) == replace(verify(cut), anchored_at=None)


def test_a_chain_rebuilt_with_our_own_code_misses_every_earlier_anchor():
    """T-AUD-04: an insider who rewrites one event and seals everything anew is found by any head kept outside."""
    events = [an_event(stream=STREAMS[n % 3], data={"n": n}) for n in range(6)]
    heads = [record.chain for record in sealed(events)]

    rebuilt = sealed([events[0], replace(events[1], data={"n": "another"}), *events[2:]])

    assert verify(rebuilt).fault is None
    assert [verify(rebuilt, head=head).anchored_at for head in heads] == [1, None, None, None, None, None]


def test_an_anchor_that_was_met_stands_beside_a_later_fault():
    """What came before the anchor is vouched for even where something after it does not hold."""
    records = a_chain()
    records[4] = replace(records[4], chain="f" * 64)

    verdict = verify(records, head=records[1].chain)

    assert (verdict.checked, verdict.anchored_at) == (4, 2)
    assert verdict.fault is not None


def test_two_transitions_are_one_commit():
    """What is joined is saved together, the first first; what it is about afterwards is said by how it is joined."""
    one = changed(1, an_event())
    other = Transition(noun=2, nouns=(2, a_pause()), events=(an_event(actor=ITSELF),))

    both = Transition(noun=2, nouns=(1, 2, a_pause()), events=(an_event(), an_event(actor=ITSELF)))
    assert one.then(other) == both
    assert one.beside(other) == replace(both, noun=1)


def test_what_changes_nothing_joins_without_a_trace():
    """It says of what nothing is changed, and neither saves nor tells anything."""
    one = changed(1, an_event())

    assert unchanged(1) == Transition(noun=1, nouns=(), events=())
    assert unchanged(0).then(one) == one.beside(unchanged(0)) == one


def test_an_event_may_say_nothing_beside_its_kind():
    """Without facts or private texts an event has empty mappings, its own, not one shared with others."""
    bare = AuditEvent(kind=EventKind.PAUSE_ENDED, stream="pause", actor=ITSELF, at=NOON)

    assert (bare.data, bare.private) == ({}, {})
    assert decode(body_of(bare, sequence=1, private={})) == {
        "tag": "countersign/event/2",
        "kind": "pause.ended",
        "stream": "pause",
        "sequence": 1,
        "actor": "countersign",
        "at": "2026-11-20T12:00:00.000000Z",
        "data": {},
        "private": {},
    }


def test_streams_are_named_by_kind_and_id():
    """The names under which an auditor finds a story are part of the format."""
    assert request_stream("esc_1") == "request:esc_1"
    assert agent_stream("scaler") == "agent:scaler"


def test_the_kinds_of_events_are_never_renamed():
    """The past must stay readable: a value may be added to this list, never changed or taken out."""
    assert {kind.value for kind in EventKind} >= {
        *("request.opened", "request.refused", "request.voted", "request.vote_voided", "request.approved"),
        *("request.denied", "request.expired", "request.cancelled", "request.superseded", "answer.refused"),
        *("execution.queued", "execution.claimed", "execution.armed", "execution.sending", "execution.applied"),
        *("execution.rejected", "execution.unknown", "execution.voided", "execution.retried", "execution.abandoned"),
        "execution.still_unknown",
        *("execution.effect", "pause.engaged", "pause.resume_asked", "pause.consented", "pause.ended", "pause.refused"),
        *("alert.firing", "alert.resolved", "card.posting", "card.posted", "card.failed", "digest.posted"),
        *("policy.loaded", "agent.token_created", "agent.token_revoked", "intake.refused", "intake.refusals_counted"),
        *("clock.stepped_back", "chain.begun"),
    }


def a_chain_of_before(length: int = 3) -> list[Sealed]:
    """Return a chain in the framed form, made as the page says of the chain of before."""
    records: list[Sealed] = []
    chain = GENESIS
    for number in range(1, length + 1):
        facts: dict[str, Value] = {
            "version": 1,
            "kind": "request.voted",
            "stream": STREAMS[0],
            "sequence": number,
            "actor": ADA,
        }
        hashes = {"reason": framed.tagged_hash("countersign/private/1", b"salt", b"a sale")}
        body = framed.encode({**facts, "at": "2026-11-20T12:00:00.000000Z", "data": {}, "private": hashes})
        link = framed.encode([number, STREAMS[0], number, body_hash(body)])
        chain = framed.tagged_hash("countersign/seal/1", chain.encode(), link)
        beside = (Beside(name="reason", salt="salt", text="a sale"),)
        records.append(
            Sealed(
                number=number,
                stream=STREAMS[0],
                sequence=number,
                body=body,
                hashed=body_hash(body),
                chain=chain,
                beside=beside,
            )
        )
    return records


def resealed(record: Sealed, *, previous: str, number: int) -> Sealed:
    """Return *record* with the seal of another place."""
    moved = replace(record, number=number)
    return replace(moved, chain=hash_of(seal_of(moved, previous=previous)))


def upgraded(before: Sequence[Sealed], **follows: object) -> list[Sealed]:
    """Return the records of *before*, and two of the form of now; the first names the head, or what it is told to."""
    head, number = before[-1].chain, len(before)
    data = {"follows": {"number": number, "chain": head, **follows}}
    begun, after = sealed(
        [an_event(kind=EventKind.CHAIN_BEGUN, stream="chain", actor=ITSELF, data=data), an_event(stream="pause")]
    )
    first = resealed(begun, previous=head, number=number + 1)
    return [*before, first, resealed(after, previous=first.chain, number=number + 2)]


def test_both_chains_are_read_as_one():
    """What was sealed before an upgrade verifies as ever, its texts too, and a head printed then is still met."""
    before = a_chain_of_before()
    records = upgraded(before)

    verdict = verify(records, head=before[1].chain)

    assert verdict == Verdict(checked=5, head=records[-1].chain, fault=None, anchored_at=2)
    assert verify(before) == Verdict(checked=3, head=before[-1].chain, fault=None, anchored_at=None)


@pytest.mark.parametrize("follows", [{"number": 2}, {"chain": GENESIS}, {"more": 1}], ids=["number", "head", "more"])
def test_a_new_chain_names_the_head_of_the_one_before(follows):
    """Whoever cuts off the old chain's end, or puts another before the new one, cannot make the two fit."""
    verdict = verify(upgraded(a_chain_of_before(), **follows))

    assert verdict.fault == Fault(
        number=4, stream="chain", sequence=1, why="a new chain begins here without naming the head of the one before"
    )


def test_a_new_chain_begins_with_nothing_else():
    """An event of the form of now directly behind one of before is an upgrade that nobody made."""
    before = a_chain_of_before()
    (event,) = sealed([an_event(stream="pause")])

    verdict = verify([*before, resealed(event, previous=before[-1].chain, number=4)])

    assert verdict.fault is not None
    assert (verdict.fault.number, verdict.checked) == (4, 3)


def test_the_form_of_before_never_comes_back():
    """After an upgrade nothing is sealed in the older form any more."""
    (now,) = sealed([an_event(stream="pause")])
    (before,) = a_chain_of_before(1)

    verdict = verify([now, resealed(before, previous=now.chain, number=2)])

    assert verdict.fault == Fault(
        number=2,
        stream=STREAMS[0],
        sequence=1,
        why="an event of the form before stands in the chain that followed it",
    )


def test_a_text_beside_the_chain_of_before_is_checked():
    """A text that was changed since is named, by the hash of its own time."""
    records = a_chain_of_before()
    changed = replace(records[1], beside=(Beside(name="reason", salt="salt", text="a fire"),))

    verdict = verify([records[0], changed, records[2]])

    assert verdict.fault is not None
    assert (verdict.fault.number, verdict.fault.why) == (2, "the reason beside the event is not what was written")


@pytest.mark.parametrize(
    "body", [framed.encode({"version": 2}), encode({"version": 1}), encode({"tag": "countersign/seal/2"}), encode([])]
)
def test_what_does_not_say_it_is_an_event_is_none(body):
    """An object of another kind or version is never read as an event."""
    with pytest.raises(NotCanonical):
        facts_of_body(body)
