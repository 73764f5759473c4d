"""Redraws: a card that waits is drawn again when a pause over it begins and when it ends, and only then."""

from dataclasses import replace

import pytest

from approvals.workflow.pause import Consent, Scope, ScopeKind, consent_to_end, engage
from approvals.workflow.request import State
from models.outbox.cards import Cards
from models.outbox.redraws import BATCH, Redraws
from tests.builders import ADA, BORIS, a_pause
from tests.models.records import ask, now_of, put, with_grounds

OF_ANOTHER = Scope(kind=ScopeKind.AGENT, name="pruner")
OF_THIS = Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop")


@pytest.fixture
def redraws(store):
    """The sweep of the store under test, which has the grounds for questions."""
    with_grounds(store)
    return Redraws(store)


def begin(store, scope=None, number=1):
    """Engage a pause, and return it."""
    with store.writing() as uow:
        uow.lock_gate(exclusive=True)
        epoch = uow.raise_epoch()
        pause = a_pause(scope, id=f"pause_{number:026d}", engaged_at=uow.now, engaged_epoch=epoch)
        uow.save(engage(pause, reason=""))
    return pause


def end(store, pause):
    """Let two people resume *pause*."""
    with store.writing() as uow:
        uow.lock_gate(exclusive=True)
        first, second = (Consent(pause=pause.id, person=one, account=one, at=uow.now) for one in (ADA, BORIS))
        given = {"next_epoch": uow.raise_epoch(), "reason": ""}
        seen = consent_to_end(pause, first, agreed=frozenset(), **given)
        uow.save(seen)
        (_, pause) = seen.nouns
        uow.save(consent_to_end(pause, second, agreed=frozenset({ADA}), **given))


def wanted(store):
    """Return by subject which revision of each card is to be shown, pause notices left out."""
    behind = Cards(store).behind(limit=1000)
    return {task.subject: task.wanted for task in behind if task.kind == "request"}


def test_without_a_pause_nothing_is_drawn_again(store, redraws):
    """A sweep that finds nothing leaves every card as it is."""
    request = ask(store)

    assert (redraws(), wanted(store)) == (0, {request.id: 1})


@pytest.mark.parametrize("scope", [None, OF_THIS], ids=["of everything", "of its namespace"])
def test_a_pause_and_its_end_draw_what_waits_once_each(store, redraws, scope):
    """What a card says of missing approvals is wrong once a pause has undone them; a second sweep finds nothing more."""
    request = ask(store)
    pause = begin(store, scope)
    begun = redraws(), redraws(), wanted(store)
    end(store, pause)

    assert begun == (1, 0, {request.id: 2})
    assert (redraws(), redraws(), wanted(store)) == (1, 0, {request.id: 3})


def test_a_pause_that_ended_between_two_sweeps_is_not_missed(store, redraws):
    """However short it was, it has undone the approvals."""
    request = ask(store)
    end(store, begin(store))

    assert (redraws(), wanted(store)) == (1, {request.id: 2})


def test_a_pause_elsewhere_leaves_a_card_alone(store, redraws):
    """Slack takes about one message a second in a channel: what a pause does not cover is not posted again for it."""
    request = ask(store)
    begin(store, OF_ANOTHER)

    assert (redraws(), wanted(store)) == (0, {request.id: 1})


def test_an_earlier_pause_is_no_reason_for_a_later_card(store, redraws):
    """A card that was made after a pause had ended is drawn with all that it knows."""
    end(store, begin(store))
    request = ask(store)

    assert (redraws(), wanted(store)) == (0, {request.id: 1})


def test_a_pause_of_another_scope_does_not_hide_an_earlier_one(store, redraws):
    """Two pauses between two sweeps: the later one covers something else, and the earlier one still counts."""
    request = ask(store)
    begin(store, OF_THIS)
    begin(store, OF_ANOTHER, number=2)

    assert (redraws(), wanted(store)) == (1, {request.id: 2})


def test_what_is_decided_is_not_drawn_again(store, redraws):
    """Its card has no buttons and says how it ended; a pause changes nothing about that."""
    request = ask(store)
    denied = replace(request, state=State.DENIED, decided_at=now_of(store), decided_by=(ADA,), revision=2)
    put(store, denied)
    begin(store)

    assert (redraws(), wanted(store)) == (0, {request.id: 2})


def test_more_than_one_batch_is_drawn_again(store, redraws):
    """All of them, in as many transactions as it takes."""
    requests = [ask(store, number) for number in range(1, BATCH + 3)]
    begin(store)

    assert (redraws(), wanted(store)) == (BATCH + 2, {request.id: 2 for request in requests})


def test_one_sweep_ends_and_the_next_goes_on(store, redraws):
    """However many wait, a service that is told to stop waits for a bounded sweep only, and no card is forgotten."""
    del redraws  # for the grounds that it laid
    requests = [ask(store, number) for number in range(1, BATCH + 3)]
    begin(store)
    sweep = Redraws(store, batches=1)

    assert [sweep(), sweep(), sweep()] == [BATCH, 2, 0]
    assert wanted(store) == {request.id: 2 for request in requests}
