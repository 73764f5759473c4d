"""The chain: every event sealed once, in one gap-free line, whatever order they committed in."""

from threading import Thread

import pytest
from sqlalchemy import update

from approvals.audit.events import PAUSE_STREAM, AuditEvent, EventKind, chain_hash, verify
from approvals.presentation.digest import Head
from models.audit.book import AuditBook, Tail
from models.audit.sealer import BATCH, Sealer
from models.engine.database import open_database
from models.store.fence import LeaseLost, prove
from models.store.tables import events
from tests.builders import ADA, HOUR, NOON, TICK
from tests.fixtures.stores import a_store
from tests.models.leasing import lapse, several, taken_by

SAID = AuditEvent(kind=EventKind.PAUSE_REFUSED, stream=PAUSE_STREAM, actor=ADA, at=NOON)


def tell(store, stream: str = PAUSE_STREAM, *, times: int = 1, at=NOON) -> None:
    """Record *times* events in one unit."""
    with store.writing() as uow:
        for _ in range(times):
            uow.record(AuditEvent(kind=SAID.kind, stream=stream, actor=ADA, at=at))


def numbers(book: AuditBook) -> list[tuple[int, str, int]]:
    """Return of each sealed event its number and its place."""
    return [(one.number, one.stream, one.sequence) for one in book.sealed()]


def test_everything_written_is_sealed_once(store):
    """Numbers run from 1 without a gap, the order in each stream is kept, and sealing again finds nothing to do (I5)."""
    sealer, book = Sealer(store.database), AuditBook(store.database)
    tell(store, "b", times=2)
    tell(store, "a")
    first = sealer.seal()
    tell(store, "b")
    second, third = sealer.seal(), sealer.seal()

    assert (first, second, third) == (3, 1, 0)
    assert numbers(book) == [(1, "b", 1), (2, "b", 2), (3, "a", 1), (4, "b", 3)]
    verdict = verify(book.sealed())
    assert (verdict.checked, verdict.fault, book.head()) == (4, None, Head(number=4, chain=verdict.head))


def test_a_chain_goes_on_after_a_restart(store):
    """Another sealer, knowing nothing, takes up where the one before it stopped."""
    tell(store)
    Sealer(store.database).seal()
    tell(store)
    Sealer(store.database).seal()

    first, second = AuditBook(store.database).sealed()
    expected = chain_hash(first.chain, number=2, stream=PAUSE_STREAM, sequence=2, hashed=second.hashed)
    assert (second.chain, verify([first, second], head=second.chain).anchored_at) == (expected, 2)


def test_more_than_a_batch_is_sealed_in_one_call(store):
    """What piled up is sealed batch by batch, in order."""
    tell(store, times=BATCH + 3)

    assert Sealer(store.database).seal() == BATCH + 3
    assert verify(AuditBook(store.database).sealed()).checked == BATCH + 3


def test_the_tail_is_what_is_not_sealed_yet(store):
    """How much of the record the chain does not hold yet is told, by stream."""
    book = AuditBook(store.database)
    tell(store, "a")
    Sealer(store.database).seal()
    tell(store, "b", times=2)
    tell(store, "a")

    before = book.tail()
    Sealer(store.database).seal()

    assert (before, book.tail()) == (Tail(events=3, streams=("a", "b")), Tail(events=0, streams=()))


def test_the_book_can_be_opened_anywhere(store):
    """After a number, up to a number, and from an instant on: nothing that is later is left out."""
    book = AuditBook(store.database)
    for hour in range(5):
        tell(store, at=NOON + hour * HOUR)
    Sealer(store.database).seal()

    assert [one.number for one in book.sealed(after=1, through=3)] == [2, 3]
    assert [one.sequence for one in book.records(since=NOON + 2 * HOUR)] == [3, 4, 5]
    assert [one.sequence for one in book.records(since=NOON + 2 * HOUR + TICK, through=4)] == [3, 4]
    assert [one.sequence for one in book.records(since=NOON - HOUR)] == [1, 2, 3, 4, 5]
    assert list(book.records(since=NOON + 9 * HOUR)) == []
    assert [one.at for one in book.records()] == [NOON + hour * HOUR for hour in range(5)]


def test_an_empty_book_has_no_head(store):
    """Before the first event there is nothing to read and nothing to seal."""
    book = AuditBook(store.database)

    assert (Sealer(store.database).seal(), book.head(), list(book.records(since=NOON))) == (0, None, [])


@pytest.mark.postgres
def test_a_late_commit_is_sealed_after_what_overtook_it(postgres_store):
    """An event that was written first and committed last gets the next number: nothing is lost, nothing renumbered (I5)."""
    store = postgres_store
    sealer, book = Sealer(store.database), AuditBook(store.database)
    tell(store, "early")
    sealer.seal()

    with store.writing() as late:
        late.record(AuditEvent(kind=SAID.kind, stream="late", actor=ADA, at=NOON))
        late.finish()
        overtaken = []
        for _ in range(3):
            tell(store, "overtaking")
            overtaken.append(sealer.seal())
    after = sealer.seal()
    idle = sealer.seal()

    assert (overtaken, after, idle) == ([1, 1, 1], 1, 0)
    assert numbers(book) == [
        (1, "early", 1),
        (2, "overtaking", 1),
        (3, "overtaking", 2),
        (4, "overtaking", 3),
        (5, "late", 1),
    ]
    assert verify(book.sealed()).fault is None


@pytest.mark.postgres
def test_a_sealer_that_lost_its_lease_seals_nothing(postgres_store, postgres_database):
    """One that stood still and wakes up when another leads adds no link; the next leader's sealer seals all of it (I5)."""
    with several(postgres_database.restricted_url, "a", "b") as (one, other):
        held = taken_by(one)
        sealer = Sealer(postgres_store.database, lease=held)
        tell(postgres_store)
        while_it_led = sealer.seal()
        tell(postgres_store, times=2)
        lapse(postgres_database)
        successor = Sealer(postgres_store.database, lease=taken_by(other))

        with pytest.raises(LeaseLost):
            sealer.seal()
        kept = numbers(AuditBook(postgres_store.database))
        idle_after = (successor.seal(), sealer.seal())

    assert (while_it_led, kept, idle_after) == (1, [(1, PAUSE_STREAM, 1)], (2, 0))
    assert verify(AuditBook(postgres_store.database).sealed()).checked == 3


@pytest.mark.postgres
def test_a_pass_that_was_begun_before_the_lease_went_is_given_up(postgres_store, postgres_database, monkeypatch):
    """A takeover waits for no pass that is not at its end yet; that pass finds another generation and commits nothing."""
    tell(postgres_store, times=2)
    with several(postgres_database.restricted_url, "a", "b") as (one, other):
        sealer = Sealer(postgres_store.database, lease=taken_by(one))
        taken = []

        def stand_still(connection, lease):
            lapse(postgres_database)
            taken.append(taken_by(other))
            prove(connection, lease)

        monkeypatch.setattr("models.audit.sealer.prove", stand_still)
        with pytest.raises(LeaseLost):
            sealer.seal()

    assert [one.generation for one in taken] == [2]
    assert AuditBook(postgres_store.database).head() is None


@pytest.mark.postgres
def test_two_sealers_do_not_cross(postgres_database):
    """While one works the other leaves it to it: numbers stay unique and without a gap."""
    stores = [a_store(open_database(postgres_database.restricted_url)) for _ in range(4)]
    written = 400

    def write(store) -> None:
        for number in range(written // 2):
            tell(store, f"stream-{number % 7}")

    def seal(store) -> None:
        sealer = Sealer(store.database)
        for _ in range(60):
            sealer.seal()

    threads = [Thread(target=write, args=[store]) for store in stores[:2]]
    threads += [Thread(target=seal, args=[store]) for store in stores[2:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Sealer(stores[0].database).seal()
    verdict = verify(AuditBook(stores[0].database).sealed())
    for store in stores:
        store.database.close()

    assert (verdict.checked, verdict.fault) == (written, None)


def test_a_changed_event_is_found(sqlite_url):
    """Bytes that were changed behind our back no longer hash to what the chain holds (T-AUD-01)."""
    store = a_store(open_database(sqlite_url))
    tell(store, times=3)
    Sealer(store.database).seal()
    with store.writing() as uow:
        uow.connection.execute(update(events).where(events.c.sequence == 2).values(body=b"n"))

    fault = verify(AuditBook(store.database).sealed()).fault
    store.database.close()

    assert fault is not None
    assert (fault.number, fault.why) == (2, "the event's bytes are not those that were hashed")
