"""Cards: what the relay is told to show, in which order, and what it reports back."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from approvals.audit.events import DELIVERY_STREAM, Transition
from approvals.errors import Missing
from approvals.workflow.alert import AlertGroup, AlertState
from approvals.workflow.execution import Execution, Reason
from approvals.workflow.pause import Consent, Pause, scope_of
from approvals.workflow.request import Request, State
from approvals.workflow.setbacks import put_back
from approvals.workflow.starting import claim
from approvals.workflow.voiding import void
from models.audit.book import AuditBook
from models.outbox.cards import Cards
from models.outbox.tasks import Backlog, Task, Unseen, backoff
from models.store.tables import Precedence, Subject
from tests.builders import ADA, CHANNEL, MINUTE, TEAM, a_pause, a_vote, an_alert_group, an_attempt
from tests.models.records import approved, ask, let_pass, now_of, put, queue, refused, with_grounds

STAGING = f"{TEAM}:C0STAGING"


@pytest.fixture
def cards(store) -> Cards:
    """The cards of the store under test."""
    return Cards(store)


def a_task(about: Request | Pause | AlertGroup, **changed) -> Task:
    """Return the task of posting the new card of *about*; where copies of a question stand, of drawing it again."""
    kind, precedence = {
        Request: (Subject.REQUEST, Precedence.QUESTION),
        Pause: (Subject.PAUSE, Precedence.NOTICE),
        AlertGroup: (Subject.ALERT, Precedence.INFORMATION),
    }[type(about)]
    if kind is Subject.REQUEST and changed.get("refs"):
        precedence = Precedence.BUTTONS if changed.get("closed") else Precedence.REST
    task = Task(
        subject=about.id,
        kind=kind,
        channel=CHANNEL,
        wanted=1,
        shown=0,
        closed=False,
        refs=(),
        thread_ts=None,
        interrupted=False,
        precedence=precedence,
        agent=about.agent if isinstance(about, Request) else "",
        due_at=began(about),
        failures=0,
    )
    return replace(task, **changed)


def began(about: Request | Pause | AlertGroup) -> datetime:
    """Return the deadline of a question, or when anything else began."""
    match about:
        case Request():
            assert about.deadline is not None
            return about.deadline
        case Pause():
            return about.engaged_at
        case AlertGroup():
            return about.opened_at


def post(cards: Cards, task: Task, ts: str = "1.1") -> None:
    """Post *task* as the relay does when all goes well."""
    cards.posting(task)
    cards.posted(task, ts)


def told_of(store) -> list[tuple[str, dict[str, object]]]:
    """Return the events of the delivery stream, each with its facts."""
    return [(one.record.kind, dict(one.record.data)) for one in AuditBook(store.database).story(DELIVERY_STREAM)]


def test_a_question_wants_a_card(store, cards):
    """A new question is to be posted; one that was refused at intake never is."""
    with_grounds(store)
    request = ask(store, 1)
    put(store, refused(now_of(store), 2))

    assert cards.behind(limit=10) == (a_task(request),)


def test_what_is_posted_is_shown_until_something_changes(store, cards):
    """Once posted nothing is behind; a vote is a reason to draw every copy again, and drawing it settles that."""
    with_grounds(store)
    request = ask(store)
    post(cards, a_task(request))
    shown = cards.behind(limit=10)

    put(store, a_vote(ADA, escalation=request.id, at=now_of(store)))
    (stale,) = cards.behind(limit=10)
    cards.shown(stale)

    assert shown == ()
    assert stale == a_task(request, wanted=2, shown=1, refs=("1.1",), thread_ts="1.1")
    assert cards.behind(limit=10) == ()


def test_a_transaction_is_one_redraw(store, cards):
    """However many nouns of a subject one unit writes, its card is wanted once more, and an attempt with its execution."""
    with_grounds(store)
    request = ask(store)
    post(cards, a_task(request))
    execution = queue(store, approved(store, request))
    with store.writing() as uow:
        uow.lock_execution(execution.id)
    put(store, replace(execution, revision=2), an_attempt(execution=execution.id, armed_at=now_of(store)))

    (task,) = cards.behind(limit=10)

    assert (task.wanted, task.shown, task.closed) == (4, 1, True)


def carry_on(store, execution: Execution, move: Callable[..., Transition[Execution]]) -> Execution:
    """Save what *move* makes of an execution, its row locked, as a worker does; return it as it then is."""
    with store.writing() as uow:
        held = uow.lock_execution(execution.id)
        transition = move(held, now=uow.now)
        uow.save(transition)
    return next(noun for noun in transition.nouns if isinstance(noun, Execution))


def wanted(cards: Cards, subject: str) -> int:
    """Return which revision of a card that is behind is to be shown."""
    return next(task.wanted for task in cards.behind(limit=10) if task.subject == subject)


@pytest.mark.parametrize(("sentence", "redraws"), [("The cluster is down.", 0), ("The cluster is slow.", 1)])
def test_only_what_is_shown_is_a_redraw(store, cards, sentence, redraws):
    """Claimed and put back as it was, however often, a change costs no update; another sentence on its card does."""
    with_grounds(store)
    request = ask(store)
    execution = queue(store, approved(store, request))
    down = partial(put_back, wait=MINUTE, message="The cluster is down.")
    waiting = carry_on(store, carry_on(store, execution, claim), down)
    before = wanted(cards, request.id)

    claimed = carry_on(store, waiting, claim)
    when_claimed = wanted(cards, request.id)
    carry_on(store, claimed, partial(put_back, wait=MINUTE, message=sentence))

    assert when_claimed - before == 0
    assert wanted(cards, request.id) - before == redraws


def test_a_stop_is_a_redraw(store, cards):
    """What a pause voids was locked with all the others: each that ends otherwise than it stood is drawn again."""
    with_grounds(store)
    request = ask(store)
    queue(store, approved(store, request))
    before = wanted(cards, request.id)

    with store.writing() as uow:
        (held,) = uow.stoppable_executions(scope_of("all"))
        uow.save(void(held, Reason.PAUSED, now=uow.now))

    assert wanted(cards, request.id) - before == 1


def test_the_most_pressing_comes_first(store, cards):
    """Pause notices, cards whose buttons must go, questions nobody has seen, then the rest, and information last."""
    with_grounds(store)
    voted, decided, new, silent = (ask(store, number) for number in range(1, 5))
    for number, request in enumerate((voted, decided), start=1):
        post(cards, a_task(request), f"1.{number}")
    put(store, a_vote(ADA, escalation=voted.id, at=now_of(store)))
    put(store, replace(decided, state=State.DENIED, revision=2, decided_at=now_of(store)))
    put(store, replace(silent, state=State.DENIED, revision=2, decided_at=now_of(store)))
    put(store, a_group(store))
    pause = a_pause(engaged_at=now_of(store), channels=(CHANNEL, STAGING))
    put(store, pause)

    order = [(task.subject, task.channel) for task in cards.behind(limit=10)]

    assert order == [
        (pause.id, CHANNEL),
        (pause.id, STAGING),
        (decided.id, CHANNEL),
        (new.id, CHANNEL),
        (voted.id, CHANNEL),
        (silent.id, CHANNEL),
        ("alert_1", CHANNEL),
    ]


def test_each_channel_and_the_updates_are_counted_apart(store, cards):
    """At most as many posts of each channel as asked, and as many updates: none of them takes the place of another."""
    with_grounds(store)
    first, second, new, newer = (ask(store, number) for number in range(1, 5))
    elsewhere = ask(store, 5, channel=STAGING)
    for number, request in enumerate((first, second), start=1):
        post(cards, a_task(request), f"1.{number}")
        put(store, replace(request, state=State.DENIED, revision=2, decided_at=now_of(store)))

    (one, two) = ([(task.subject, task.channel) for task in cards.behind(limit=limit)] for limit in (1, 2))

    assert one == [(first.id, CHANNEL), (elsewhere.id, STAGING), (new.id, CHANNEL)]
    assert two == [
        (first.id, CHANNEL),
        (second.id, CHANNEL),
        (elsewhere.id, STAGING),
        (new.id, CHANNEL),
        (newer.id, CHANNEL),
    ]


def a_group(store) -> AlertGroup:
    """Return a group of alerts that fires now."""
    return an_alert_group(opened_at=now_of(store))


def test_a_notice_follows_its_pause(store, cards):
    """Each channel has its copy; an agreement and the end are reasons to draw it again, the end closes it."""
    now = now_of(store)
    pause = a_pause(engaged_at=now)
    put(store, pause)
    (new,) = cards.behind(limit=10)
    post(cards, new)
    put(store, Consent(pause=pause.id, person=ADA, account=ADA, at=now))
    (agreed,) = cards.behind(limit=10)
    put(store, replace(pause, revision=2, ended_at=now, ended_epoch=2))
    (ended,) = cards.behind(limit=10)

    assert new == a_task(pause)
    assert agreed == replace(new, wanted=2, shown=1, refs=("1.1",), thread_ts="1.1")
    assert ended == replace(agreed, wanted=3, closed=True)


def test_the_card_of_a_group_is_closed_by_its_resolution(store, cards):
    """The card of a group of alerts is drawn again when the last one resolves."""
    alert = a_group(store)
    put(store, alert)
    post(cards, cards.behind(limit=1)[0])
    put(store, replace(alert, state=AlertState.RESOLVED, revision=2, resolved_at=alert.opened_at))

    (task,) = cards.behind(limit=10)

    assert task == a_task(alert, wanted=2, shown=1, refs=("1.1",), thread_ts="1.1", closed=True)


def test_a_post_is_written_down_before_and_after(store, cards):
    """Both events stand in a stream that causes no posts, the first one before anything left us."""
    with_grounds(store)
    request = ask(store)
    task = a_task(request)
    cards.posting(task)
    before = told_of(store)
    cards.posted(task, "1.1")

    facts = {"subject": request.id, "channel": CHANNEL, "revision": 1}
    posting = ("card.posting", facts | {"replaces": False})
    assert before == [posting]
    assert told_of(store) == [posting, ("card.posted", facts | {"ts": "1.1"})]


def test_a_post_that_was_never_finished_is_known_as_such(store, cards):
    """Killed between the call and its outcome, we find the card begun and unposted; its replacement says so."""
    with_grounds(store)
    request = ask(store)
    cards.posting(a_task(request))

    (again,) = cards.behind(limit=10)
    cards.posting(again)
    cards.posted(again, "2.2")

    assert again == a_task(request, interrupted=True)
    assert [facts.get("replaces") for _, facts in told_of(store)] == [False, True, None]
    assert cards.behind(limit=10) == ()


def test_what_fails_waits_longer_each_time(store, cards, host_clock):
    """A second, two, four ...; the wait that Slack asks for goes before ours; showing it ends the count."""
    with_grounds(store)
    request = ask(store)
    task = a_task(request)
    for _ in range(3):
        cards.failed(task, reason="timeout", permanent=False)
    waiting = cards.behind(limit=10)
    cards.failed(task, reason="ratelimited", permanent=False, wait=timedelta(0))
    due = cards.behind(limit=10)

    assert [backoff(failures) for failures in (0, 1, 2, 8, 9, 400)] == [
        *(timedelta(seconds=one) for one in (1, 2, 4, 256)),
        5 * MINUTE,
        5 * MINUTE,
    ]
    assert (waiting, due) == ((), (replace(task, failures=4),))
    assert told_of(store)[-1] == (
        "card.failed",
        {"subject": request.id, "channel": CHANNEL, "revision": 1, "reason": "ratelimited", "permanent": False},
    )


@pytest.mark.parametrize("may_have_arrived", [True, False])
def test_only_a_lost_reply_leaves_a_post_in_doubt(store, cards, may_have_arrived):
    """Slack's clear no means that nothing stands there; a lost reply means that something may."""
    with_grounds(store)
    task = a_task(ask(store))
    cards.posting(task)

    cards.failed(task, reason="error", permanent=False, may_have_arrived=may_have_arrived, wait=timedelta(0))

    assert cards.behind(limit=10) == (replace(task, interrupted=may_have_arrived, failures=1),)


def test_a_clear_no_settles_no_earlier_doubt(store, cards):
    """A replacement that was not taken says nothing of the post that it replaces: that may stand there all the same."""
    with_grounds(store)
    task = a_task(ask(store))
    cards.posting(task)
    cards.failed(task, reason="error", permanent=False, may_have_arrived=True, wait=timedelta(0))
    (again,) = cards.behind(limit=10)
    cards.posting(again)

    cards.failed(again, reason="ratelimited", permanent=False, wait=timedelta(0))

    assert cards.behind(limit=10) == (replace(task, interrupted=True, failures=2),)


def test_what_is_refused_for_good_waits_for_a_change(store, cards):
    """What has no subject is not tried again and again; the next change of the subject is a new try."""
    with_grounds(store)
    request = ask(store)
    task = a_task(request)
    cards.failed(task, reason="no_such_subject", permanent=True, wait=timedelta(0))
    given_up = (cards.behind(limit=10), cards.backlog())
    put(store, a_vote(ADA, escalation=request.id, at=now_of(store)))

    assert given_up == ((), Backlog(behind=1, failing=1, unseen=0))
    assert cards.behind(limit=10) == (replace(task, wanted=2, failures=1),)
    assert cards.backlog() == Backlog(behind=1, failing=1, unseen=0)


def test_an_orphan_is_adopted_once(store, cards):
    """A copy whose reference was lost carries the thread if there is no other, and is drawn again with all copies."""
    with_grounds(store)
    request = ask(store)
    cards.posting(a_task(request))

    cards.adopt(request.id, CHANNEL, "1.1")
    cards.adopt(request.id, CHANNEL, "1.1")
    first = cards.behind(limit=10)
    cards.shown(first[0])
    cards.adopt(request.id, CHANNEL, "0.9")

    assert first == (a_task(request, wanted=2, refs=("1.1",), thread_ts="1.1"),)
    assert cards.behind(limit=10) == (a_task(request, wanted=3, shown=2, refs=("0.9", "1.1"), thread_ts="1.1"),)
    facts = {"subject": request.id, "channel": CHANNEL, "adopted": True}
    assert told_of(store)[1:] == [("card.posted", facts | {"ts": "1.1"}), ("card.posted", facts | {"ts": "0.9"})]


def test_a_foreign_copy_is_not_adopted(store, cards):
    """In a channel where the card does not belong there is nothing to adopt."""
    with_grounds(store)
    request = ask(store)

    with pytest.raises(Missing):
        cards.adopt(request.id, STAGING, "1.1")


def test_a_deleted_card_is_posted_anew(store, cards):
    """An open question without any copy left is put again: deleting its card decides nothing."""
    with_grounds(store)
    request = ask(store)
    post(cards, a_task(request))

    cards.lost(request.id, CHANNEL, "1.1")
    cards.lost(request.id, CHANNEL, "1.1")

    assert cards.behind(limit=10) == (a_task(request, wanted=2, shown=1),)


def test_another_copy_takes_over_the_thread(store, cards):
    """While a copy is left nothing has to be posted; one that nobody knew is nobody's loss."""
    with_grounds(store)
    request = ask(store)
    post(cards, a_task(request))
    cards.adopt(request.id, CHANNEL, "1.2")
    cards.adopt(request.id, CHANNEL, "1.3")
    cards.shown(cards.behind(limit=1)[0])

    for ts in ("1.1", "1.3", "9.9"):
        cards.lost(request.id, CHANNEL, ts)
    cards.lost("esc_unknown", CHANNEL, "1.1")
    put(store, a_vote(ADA, escalation=request.id, at=now_of(store)))

    (task,) = cards.behind(limit=10)
    assert (task.refs, task.thread_ts) == (("1.2",), "1.2")


def test_a_decided_card_may_go(store, cards):
    """The deleted card of a question that has its outcome is not put back by that alone."""
    with_grounds(store)
    request = ask(store)
    post(cards, a_task(request))
    put(store, replace(request, state=State.DENIED, revision=2, decided_at=now_of(store)))
    cards.shown(cards.behind(limit=1)[0])

    cards.lost(request.id, CHANNEL, "1.1")

    assert cards.behind(limit=10) == ()


def test_a_change_while_it_is_drawn_is_not_lost(store, cards):
    """What was drawn before the last change is drawn once more: the row says what is shown, not that something was."""
    with_grounds(store)
    request = ask(store)
    (task,) = cards.behind(limit=10)
    cards.posting(task)
    put(store, a_vote(ADA, escalation=request.id, at=now_of(store)))
    cards.posted(task, "1.1")
    (again,) = cards.behind(limit=10)
    cards.shown(again)
    cards.shown(task)

    assert again == a_task(request, wanted=2, shown=1, refs=("1.1",), thread_ts="1.1")
    assert cards.behind(limit=10) == ()


def test_a_message_is_known_by_its_place(store, cards):
    """A click names the message it came from: ours is known by its subject, another is not known."""
    with_grounds(store)
    request = ask(store)
    post(cards, a_task(request))

    assert (cards.subject_of(CHANNEL, "1.1"), cards.subject_of(STAGING, "1.1")) == (request.id, None)


def a_crowd(store, *counts: tuple[str, int]) -> dict[str, list[str]]:
    """Ask, for each agent named, so many questions, each with a later deadline than the one before; return their ids."""
    asked: dict[str, list[str]] = {}
    now, number = now_of(store), 0
    for agent, count in counts:
        for place in range(count):
            number += 1
            one = ask(store, number, agent=agent, deadline=now + (number * 10 - place) * MINUTE)
            asked.setdefault(agent, []).append(one.id)
    return asked


def test_the_nearest_deadline_goes_first(store, cards):
    """Of one agent's questions that nobody has seen the one that denies itself soonest is shown first, not the oldest."""
    with_grounds(store)
    now = now_of(store)
    late, soon, sooner = (
        ask(store, number, deadline=now + minutes * MINUTE) for number, minutes in enumerate((60, 20, 2), start=1)
    )

    assert [task.subject for task in cards.behind(limit=10)] == [sooner.id, soon.id, late.id]


def test_no_agent_takes_more_than_its_share(store, cards):
    """An agent with many questions, however near their deadlines, lets one of each other agent go between two of its own."""
    with_grounds(store)
    asked = a_crowd(store, ("flood", 6), ("second", 2), ("third", 1))
    served = []
    for _ in range(9):
        task = cards.behind(limit=1)[0]
        served.append(task.agent)
        post(cards, task, f"1.{len(served)}")

    assert served == ["flood", "second", "third", "flood", "second", "flood", "flood", "flood", "flood"]
    assert [len(ids) for ids in asked.values()] == [6, 2, 1]


def test_who_asks_one_at_a_time_does_not_always_come_first(store, cards):
    """A queue that is empty between two questions keeps its place among the others: else it would starve them."""
    with_grounds(store)
    a_crowd(store, ("flood", 3))
    served = []
    for number in range(11, 15):
        ask(store, number, agent="trickle", deadline=now_of(store) + MINUTE)
        task = cards.behind(limit=1)[0]
        served.append(task.agent)
        post(cards, task, f"1.{number}")

    assert served == ["trickle", "flood", "trickle", "flood"]


def test_what_failed_waits_seconds_where_nobody_has_seen_it(store, cards):
    """A question with a short deadline is not kept waiting for minutes by the failures of an outage; what informs may be."""
    with_grounds(store)
    began = let_pass(store, MINUTE)
    task = a_task(ask(store, deadline=began + 60 * MINUTE))
    for _ in range(8):
        cards.failed(task, reason="no_connection", permanent=False)
    let_pass(store, timedelta(seconds=15))
    due = cards.behind(limit=1)
    for _ in range(8):
        cards.failed(task, reason="reply_lost", permanent=False, may_have_arrived=True)
    let_pass(store, timedelta(seconds=15))

    assert [one.failures for one in due] == [8]
    assert cards.behind(limit=1) == ()  # Each try may leave one more copy: that waits its five minutes.


def test_a_question_that_stands_nowhere_is_known_as_unseen(store, cards):
    """From a bound on and while its deadline runs; once it stood in its channel it never is again."""
    with_grounds(store)
    now = let_pass(store, MINUTE)
    request = ask(store, deadline=now + MINUTE)
    seen = []
    for seconds in (14, 1, 44, 1):
        now = let_pass(store, timedelta(seconds=seconds))
        seen.append((cards.backlog().unseen, len(cards.unseen(limit=10))))
    other = ask(store, 2, deadline=now + 10 * MINUTE)
    let_pass(store, MINUTE)
    cards.failed(a_task(other), reason="no_connection", permanent=False)

    (unseen,) = cards.unseen(limit=10)
    post(cards, a_task(other))
    cards.lost(other.id, CHANNEL, "1.1")

    assert seen == [(0, 0), (1, 1), (1, 1), (0, 0)]
    assert unseen == Unseen(subject=other.id, channel=CHANNEL, deadline=began(other), failures=1)
    assert cards.unseen(limit=10) == ()
    assert request.id != other.id


def test_a_copy_that_cannot_be_changed_is_replaced_even_after_the_outcome(store, cards):
    """It stands with buttons that lead nowhere: what came of it is posted anew, as a replacement that rings no phone."""
    with_grounds(store)
    request = ask(store)
    post(cards, a_task(request))
    put(store, replace(request, state=State.DENIED, revision=2, decided_at=now_of(store)))

    cards.stuck(request.id, CHANNEL, "1.1")

    assert cards.behind(limit=10) == (
        a_task(request, wanted=2, closed=True, interrupted=True, precedence=Precedence.REST),
    )


def test_the_buttons_of_a_copy_that_is_taken_in_late_must_go(store, cards):
    """A copy that we lost track of may still show its buttons: after the outcome it goes before everything but notices."""
    with_grounds(store)
    request = ask(store)
    post(cards, a_task(request))
    put(store, replace(request, state=State.DENIED, revision=2, decided_at=now_of(store)))
    cards.shown(cards.behind(limit=1)[0])

    cards.adopt(request.id, CHANNEL, "1.0")

    (task,) = cards.behind(limit=10)
    assert (task.precedence, task.refs) == (Precedence.BUTTONS, ("1.0", "1.1"))
