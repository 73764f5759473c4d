"""Bad rows: one row that cannot be dealt with stops no loop and starves no other row. One planted row for each loop."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

import approvals.usecases.people.expire
import approvals.usecases.people.revocations
from approvals.audit.events import verify
from approvals.errors import Garbled, Malformed, Unavailable
from approvals.identity.tokens import TokenKind
from approvals.policy.policy import Environment
from approvals.usecases.aside import FIRST_WAIT, Aside
from approvals.workflow.execution import Phase
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import Answer, State
from bot.intake.routes.escalations import look_in
from bot.intake.routes.listing import page_for
from bot.outbox.delivery import Drawn, DrawReason
from bot.outbox.digests import DigestPost
from bot.runtime.mishaps import LoggedMishaps
from bot.slack.messages.painter import SlackPainter
from bot.slack.messages.review_part import render_review
from models.audit.book import AuditBook
from models.audit.sealer import Sealer
from models.outbox.digests import Digests
from models.outbox.policy_redraws import PolicyRedraws
from models.outbox.redraws import Redraws
from models.store.store import SqlStore
from tests.bot.test_digests import FakePoster
from tests.builders import (
    ADA,
    CHANNEL,
    HOUR,
    MINUTE,
    a_policy,
    a_target,
    a_token,
    a_workload,
    an_action,
    an_environment,
)
from tests.fakes.mishaps import Unlucky
from tests.usecases.looks import execution_of, tamper
from tests.world import FixedPolicies, HandClock, World

ALL = Scope(kind=ScopeKind.ALL)


@pytest.fixture
def clock():
    """The host's clock, moved by hand."""
    return HandClock()


@pytest.fixture
def world(sqlite_store, clock):
    """A world whose store can hold rows that nobody can read."""
    store = SqlStore(sqlite_store.database, host_clock=clock, new_salt=lambda: "0" * 32)
    return World(store).settled()


def ask(world, name):
    """Return the agent's question about a workload of its own."""
    workload = a_workload(name=name)
    workload["metadata"]["uid"] = f"uid-of-{name}"
    world.cluster.objects["Deployment", "shop", name] = workload
    return world.pending(name, action=an_action(target=a_target(name=name), replicas=6))


def a_monitor(world, name):
    """Return a monitor's new token."""
    return world.admit.create(
        f"cst_{name}",
        kind=TokenKind.ALERTMANAGER,
        holder=name,
        environments=["prod-eu-1"],
        namespaces=(),
        good_for=timedelta(days=1),
        by="os:olga",
    )


def spoil(world, *requests):
    """Make rows of requests unreadable."""
    for request in requests:
        tamper(world, "UPDATE escalations SET ruling = '{' WHERE id = :id", id=request.id)


def test_silence_denies_beside_a_request_that_cannot_be_read(world, clock, monkeypatch):
    """More of them than one look takes, and longer overdue: the others expire in the same sweep, and each is told once a wait."""
    monkeypatch.setattr(approvals.usecases.people.expire, "BATCH", 2)
    bad = [ask(world, f"bad-{number}") for number in range(3)]
    clock.pass_by(timedelta(seconds=1))
    good = [ask(world, f"good-{number}") for number in range(3)]
    spoil(world, *bad)
    clock.pass_by(HOUR)

    expired = [world.expire(), world.expire()]
    told = list(world.mishaps.told)
    clock.pass_by(FIRST_WAIT)
    world.expire()

    assert expired == [3, 0]
    assert {world.request(one).state for one in good} == {State.EXPIRED}
    assert sorted(told) == sorted(("expire", one.id, "Garbled") for one in bad)
    assert len(world.mishaps.told) == 6


def test_a_revoked_tokens_questions_end_beside_one_that_cannot_be_read(world, monkeypatch):
    """Each has a transaction of its own, and the sweep goes on past it."""
    monkeypatch.setattr(approvals.usecases.people.revocations, "BATCH", 2)
    bad = [ask(world, f"bad-{number}") for number in range(3)]
    good = ask(world, "good")
    spoil(world, *bad)
    world.admit.revoke(a_token().id, by="os:olga")

    followed = [world.follow_revocations(), world.follow_revocations()]

    assert (followed, world.request(good).state) == ([1, 0], State.CANCELLED)
    assert {sweep for sweep, _, _ in world.mishaps.told} == {"follow revocations"}


def test_a_token_is_revoked_beside_one_that_cannot_be_read(world):
    """A stop must not hang on somebody else's row."""
    tamper(
        world,
        "INSERT INTO agent_tokens SELECT 'tok_bad', 'x', kind, holder, '7', namespaces, created_at, created_by,"
        " expires_at, NULL, 1 FROM agent_tokens",
    )

    assert world.admit.revoke(a_token().id, by="os:olga").revoked_at is not None


def test_a_resume_is_asked_for_beside_a_pause_that_cannot_be_read(world, clock):
    """The broken one is told of; nothing starts meanwhile, because nobody can tell what it stops."""
    bad, good = (
        world.pause(Scope(kind=ScopeKind.AGENT, name="scaler"), account=account, duration=MINUTE, reason="").pause
        for account in (ADA, "os:olga")
    )
    tamper(world, "UPDATE pauses SET scope = '{' WHERE id = :id", id=bad.id)
    clock.pass_by(MINUTE)

    asked = world.ask_for_resumes()

    assert asked == 1
    with world.store.reading() as reading:
        assert reading.pause(good.id).asked_at is not None
        with pytest.raises(Garbled):
            reading.pauses()


def test_a_pause_stops_beside_an_execution_that_cannot_be_read(world):
    """It stops what it can; the other cannot start either, because nobody can read it."""
    bad, good = (world.answers(ask(world, name)).request for name in ("bad", "good"))
    tamper(world, "UPDATE executions SET reason = 'no such reason' WHERE escalation = :id", id=bad.id)

    engaged = world.pause(Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop"), account=ADA, duration=None, reason="")
    world.execute()

    assert engaged.voided == 1
    assert execution_of(world, good).is_over
    assert world.cluster.sent == []


def test_a_change_lands_beside_a_rollout_that_cannot_be_read(world):
    """That it has landed is written down at once: an older change of the same target has no say in it."""
    bad = world.answers(ask(world, "one")).request
    world.execute()
    tamper(world, "UPDATE executions SET reason = 'no such reason' WHERE escalation = :id", id=bad.id)
    good = world.answers(world.pending("again", action=an_action(target=a_target(name="one"), replicas=2))).request

    world.execute()

    assert execution_of(world, good).state is Phase.APPLIED


def test_a_question_is_asked_and_shown_beside_an_earlier_one_that_cannot_be_read(world):
    """What was asked for the same effect before is told of as far as it can be read."""
    world = World(world.store, render=render_review)
    bad, good = (world.answers(ask(world, key), answer=Answer.DENY).request for key in ("one", "two"))
    spoil(world, bad)

    again = world.asks("again", action=bad.action)
    drawn = Drawn(subject=again.request.id, kind="request", channel=CHANNEL, revision=1)
    with world.store.reading() as reading:
        card = SlackPainter(world.policies).card(reading, drawn, DrawReason.FIRST)

    assert (again.created, again.earlier) == (True, ())
    assert [block for block in card.blocks if block["block_id"].startswith("earlier")] == []
    assert [one.id for one in world.asks("and-again", action=good.action).earlier] == [good.id]


def test_refused_deliveries_are_told_beside_a_row_that_cannot_be_read(world):
    """Whoever looks how things stand is told of the other monitors."""
    for name in ("am-1", "am-2"):
        world.admit.record_refusal(a_monitor(world, name), Malformed("No.", code="not_json"))
    tamper(world, "UPDATE refused_deliveries SET codes = '{' WHERE monitor = 'am-1'")

    with world.store.reading() as reading:
        found = reading.refused_lately(since=reading.now - HOUR, limit=9)

    assert [one.monitor for one in found] == ["am-2"]


def wanted(world, kind="request"):
    """Return by subject which revision of each card is to be shown."""
    with world.store.database.reading() as connection:
        return dict(
            connection.execute(text("SELECT subject, wanted FROM cards WHERE kind = :kind"), {"kind": kind}).all()
        )


def test_cards_are_drawn_again_beside_one_whose_request_cannot_be_read(world):
    """It is marked, too: whoever draws it sees that it cannot be drawn; and it is looked at once."""
    bad, good = ask(world, "bad"), ask(world, "good")
    spoil(world, bad)
    world.pause(ALL, account=ADA, duration=None, reason="")

    redraws = Redraws(world.store)

    assert [redraws(), redraws()] == [2, 0]
    assert wanted(world) == {bad.id: 2, good.id: 2}


def test_another_policy_shows_beside_a_request_that_cannot_be_read(world):
    """Likewise where a reload makes cards out of date."""
    bad, good = ask(world, "bad"), ask(world, "good")
    spoil(world, bad)
    other = replace(a_policy(), version="f" * 64)
    world.adopt(other, "another text", by="os:olga")

    PolicyRedraws(world.store, FixedPolicies(other))()

    assert wanted(world)[bad.id] == 2
    assert good.id in wanted(world)


def test_events_are_sealed_beside_one_that_cannot_be_read(world):
    """The chain is made of hashes: what the bytes say is for whoever verifies to name."""
    ask(world, "one")
    tamper(world, "UPDATE events SET body = x'00' WHERE id = 2")

    sealed = Sealer(world.store.database).seal()
    book = AuditBook(world.store.database)

    assert sealed == len(list(book.sealed()))
    fault = verify(book.sealed()).fault
    assert fault is not None
    assert (book.tail().events, fault.number) == (0, 2)


def test_digests_go_out_beside_one_that_cannot_be_made(world, clock):
    """One environment's defect costs the others nothing, and a record that cannot be read is counted and left out."""
    ask(world, "one")
    Sealer(world.store.database).seal()
    tamper(world, "UPDATE events SET body = x'00' WHERE id = 2")
    clock.pass_by(8 * 24 * HOUR)
    broken = replace(an_environment(), zone="Nowhere/At-all")
    policy = replace(a_policy(), environments={"broken": replace(broken, name="broken"), "prod-eu-1": an_environment()})
    poster = FakePoster()
    failed: list[str] = []

    def draw(digest, environment: Environment, replaces, detail):
        return f"{environment.name}: {digest.unreadable} unreadable"

    DigestPost(
        store=world.store,
        policies=FixedPolicies(policy),
        book=AuditBook(world.store.database),
        digests=Digests(world.store),
        poster=poster,
        draw=draw,
        failed=failed.append,
    ).catch_up()

    assert failed == ["digests"]
    assert [message for _, message in poster.posted] == ["prod-eu-1: 1 unreadable"]


def test_polls_and_pages_show_the_others(world):
    """Whoever waits for, or lists, escalations is not kept from the good ones."""
    bad, good = ask(world, "bad"), ask(world, "good")
    spoil(world, bad)

    seen = look_in(world.store)(frozenset({bad.id, good.id}), frozenset({a_token().hash}))
    with world.store.reading() as reading:
        page = page_for(a_token(), reading, state=None, limit=5, cursor=None)

    assert dict(seen.versions) == {good.id: 1}
    assert [one.id for one in page.requests] == [good.id]


def test_a_page_goes_on_past_what_cannot_be_read(world):
    """The cursor of a page is the last row it looked at, readable or not."""
    asked = [ask(world, name) for name in ("one", "two", "three", "four")]
    spoil(world, asked[2])
    with world.store.reading() as reading:
        first = reading.requests_of("scaler", state=None, limit=2, cursor=None)
        second = reading.requests_of("scaler", state="pending", limit=2, cursor=first.next_cursor)

    assert [[one.id for one in page.requests] for page in (first, second)] == [
        [asked[3].id],
        [asked[1].id, asked[0].id],
    ]
    assert (first.next_cursor, second.next_cursor) == (asked[2].id, None)


def test_an_outage_leaves_no_row_aside(world, clock):
    """Where the store is gone no row is at fault: everything is looked at again at once."""
    aside = Aside(sweep="expire", mishaps=Unlucky())

    def gone():
        raise Unavailable("The store cannot be reached.")

    with pytest.raises(Unavailable):
        aside.deal_with("esc_1", gone, now=clock())

    assert aside.waiting(clock()) == frozenset()


def test_waits_of_a_row_grow_until_it_goes_well(clock):
    """From seconds to minutes; once it could be dealt with it begins anew."""
    unlucky = Unlucky()
    aside = Aside(sweep="expire", mishaps=unlucky)

    def fails():
        raise ValueError("odd")

    def is_left(after):
        return bool(aside.waiting(clock() + after))

    aside.deal_with("esc_1", fails, now=clock())
    first = (is_left(timedelta(seconds=4)), is_left(timedelta(seconds=5)))
    for _ in range(9):
        aside.deal_with("esc_1", fails, now=clock())
    tenth = (is_left(timedelta(seconds=299)), is_left(timedelta(seconds=300)))
    well = aside.deal_with("esc_1", lambda: None, now=clock())

    assert (first, tenth, well) == ((True, False), (True, False), True)
    assert (len(unlucky.told), aside.waiting(clock())) == (10, frozenset())


def test_a_mishap_is_logged_and_counted(capsys):
    """The sweep's name is what the failures are counted under."""
    failed: list[str] = []

    LoggedMishaps(failed=failed.append).happened("expire", "esc_1", ValueError("odd"))

    assert failed == ["expire"]
