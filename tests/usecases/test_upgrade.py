"""An upgrade ends what was asked in another form; until it has, nothing of it is carried out, and no drift is told of it."""

from collections.abc import Callable

import pytest

import approvals.usecases.intake.drafts
import approvals.workflow.request
from approvals.usecases.operation.upgrade import Ended, EndOtherwise
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.request import FORM, Answer, Request, State
from models.store.mapping import json_of
from tests.usecases.looks import kinds, stands, tamper
from tests.usecases.mishaps import Between, Blind
from tests.world import World


@pytest.fixture
def asked_before(monkeypatch: pytest.MonkeyPatch, world: World) -> Callable[..., Request]:
    """Asks in the form of the release before and, if told to, has it approved by that release."""

    def ask(key: str, *, approved: bool = False) -> Request:
        with monkeypatch.context() as before:
            for module in (approvals.usecases.intake.drafts, approvals.workflow.votes):
                before.setattr(module, "FORM", FORM - 1)
            request = world.pending(key)
            if approved:
                world.answers(request)
        return world.request(request)

    return ask


def test_only_what_was_asked_otherwise_ends(world, asked_before):
    """An open question and an approval of the release before end; what was denied then and what is asked now stays."""
    opened, approved, denied = asked_before("key-1"), asked_before("key-2", approved=True), asked_before("key-3")
    world.answers(denied, answer=Answer.DENY)
    new = world.pending("key-4")

    ended = EndOtherwise(store=world.store)()

    assert ended == Ended(ended=2, left=())
    assert [(one.state, one.outcome_code, one.form) for one in map(world.request, (opened, approved, denied, new))] == [
        (State.CANCELLED, "upgraded", FORM - 1),
        (State.CANCELLED, "upgraded", FORM - 1),
        (State.DENIED, "denied", FORM - 1),
        (State.PENDING, None, FORM),
    ]
    assert stands(world, approved)[:2] == (Phase.VOIDED, Reason.UPGRADED)
    assert EndOtherwise(store=world.store)() == Ended(ended=0, left=())


def test_what_cannot_be_read_hinders_nobody(world, asked_before):
    """A row that somebody has broken is named, and the others end."""
    broken, whole = asked_before("key-1"), asked_before("key-2")
    put = "UPDATE escalations SET ruling = :ruling WHERE id = :id"
    tamper(world, put, ruling="{}", id=broken.id)
    ended = EndOtherwise(store=world.store)()
    tamper(world, put, ruling=json_of(broken.ruling), id=broken.id)

    assert ended == Ended(ended=1, left=(broken.id,))
    assert [world.request(one).state for one in (broken, whole)] == [State.PENDING, State.CANCELLED]


def test_a_denial_in_between_stays(world, asked_before):
    """Whoever denies while the upgrade runs has denied."""
    request = asked_before("key-1")
    store = Between(world.store, lambda: world.answers(request, answer=Answer.DENY))

    assert EndOtherwise(store=store)() == Ended(ended=0, left=())
    assert world.request(request).state is State.DENIED


def test_what_is_gone_is_passed_over(world, asked_before):
    """A row that was there for the look and cannot be locked is nothing to end."""
    request = asked_before("key-1")

    assert EndOtherwise(store=Blind(world.store, request.id))() == Ended(ended=0, left=())


def test_what_is_overdue_expires(world, asked_before, instant):
    """Silence had denied it before the upgrade came by."""
    request = asked_before("key-1")
    instant.pass_by(request.deadline - instant())

    assert EndOtherwise(store=world.store)() == Ended(ended=1, left=())
    assert world.request(request).state is State.EXPIRED


def test_an_approval_of_before_is_not_called_drift(world, asked_before):
    """Taken up before the upgrade has ended it, it is voided as upgraded: no successor is asked, and nobody is told of drift."""
    request = asked_before("key-1", approved=True)

    world.execute()

    assert stands(world, request)[:2] == (Phase.VOIDED, Reason.UPGRADED)
    assert world.request(request).state is State.APPROVED
    assert "request.superseded" not in kinds(world, request)
    assert world.cluster.sent == []
