"""An agent sees of its escalation what it needs to go on, and nothing that is hidden from it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from approvals.change.action import ProposedAction, Target
from approvals.change.plan import Bound, Change, PatchType, Redacted, Resource, Step
from approvals.change.risk import Risk
from approvals.identity.names import Account, Channel, EscalationId, ExecutionId
from approvals.policy.ruling import Ruling
from approvals.verbs.verb import Effect
from approvals.workflow.execution import Execution, Phase, Reason
from approvals.workflow.request import Refusal, Request, State
from models.payloads import EscalationPageView, view_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TARGET = Target(kind="Deployment", namespace="shop", name="checkout")
RULING = Ruling(
    policy="p" * 64, asks=True, rules=("shop", "all"), reasons=("Rule shop asks ops.",), risk=Risk.LOW, quorum=1
)
PENDING = Request(
    id=EscalationId("esc_1"),
    agent="scaler",
    environment="demo",
    action=ProposedAction(verb="scale", target=TARGET, parameters={"replicas": 6}),
    on_behalf_of=None,
    idempotency_key="k",
    body_hash="b" * 64,
    token="tok_1",
    channel=Channel("T0123:C0123"),
    state=State.PENDING,
    revision=1,
    asked_at=NOON,
    deadline=NOON + timedelta(minutes=15),
    ruling=RULING,
    fingerprint="f" * 64,
    effect_key="e" * 64,
    render_hash="r" * 64,
    shown_whole=True,
)
BOUND = Bound(
    schema=1,
    cluster_uid="c",
    escalation=EscalationId("esc_1"),
    verb="scale",
    target=TARGET,
    arguments={"replicas": 6},
    executor="exec-scaler-scale",
    valid_for=timedelta(minutes=15),
    steps=(
        Step(
            resource=Resource(group="apps", version="v1", plural="deployments"),
            namespace="shop",
            name="checkout",
            uid="u",
            subresource="scale",
            patch_type=PatchType.MERGE,
            body="{}",
            changes=(
                Change(path="/spec/replicas", before=3, after=6),
                Change(path="/spec/env/[KEY]/value", before=None, after=Redacted(mac="0123abcd")),
            ),
        ),
    ),
)
PENDING_VIEW = {
    "id": "esc_1",
    "version": 1,
    "status": "pending",
    "deadline": "2026-11-21T12:15:00.000000Z",
    "shown_at": None,
    "fingerprint": "f" * 64,
    "diff": [
        {"path": "/spec/replicas", "before": 3, "after": 6},
        {"path": "/spec/env/[KEY]/value", "before": None, "after": {"redacted": True}},
    ],
    "ruling": {"rule": "shop, all", "reasons": ["Rule shop asks ops."]},
    "decision": None,
    "execution": None,
    "superseded_by": None,
    "earlier": [],
}


def sent(view):
    """Return *view* as the other side reads it."""
    return json.loads(view.model_dump_json())


def test_a_pending_escalation_shows_its_diff_and_its_deadline():
    """The first answer has the interface's fields; a hidden value is shown as hidden, without its keyed hash."""
    view = view_of(PENDING, bound=BOUND, execution=None)

    assert sent(view) == PENDING_VIEW
    assert "0123abcd" not in view.model_dump_json()


def test_a_page_holds_views():
    """A list is the same views and where to go on."""
    page = EscalationPageView(escalations=[view_of(PENDING, bound=BOUND, execution=None)], next_cursor="c2")

    assert sent(page) == {"escalations": [PENDING_VIEW], "next_cursor": "c2"}


def test_a_decision_says_who_when_and_why():
    """A denial carries the person's words; the version has risen."""
    denied = replace(
        PENDING, state=State.DENIED, revision=2, decided_at=NOON + timedelta(seconds=5), decided_by=(Account("T0123:U0ADA"),),
        outcome_code="denied",
    )  # fmt: skip

    assert sent(view_of(denied, bound=BOUND, execution=None, reason="Not on a Friday.")) == PENDING_VIEW | {
        "version": 2,
        "status": "denied",
        "decision": {
            "outcome": "denied",
            "code": "denied",
            "by": ["T0123:U0ADA"],
            "at": "2026-11-21T12:00:05.000000Z",
            "reason": "Not on a Friday.",
        },
    }


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("expired", "Nobody decided before the deadline, so silence denied it."),
        ("expired_unseen", "Its deadline passed before it was shown to anybody, so silence denied it."),
    ],
)
def test_silence_is_nobodys_denial(code, reason):
    """Expired is its own outcome: nobody decided it, and it says so; and whether anybody could have."""
    expired = replace(PENDING, state=State.EXPIRED, revision=2, decided_at=PENDING.deadline, outcome_code=code)

    assert sent(view_of(expired, bound=BOUND, execution=None))["decision"] == {
        "outcome": "expired",
        "code": code,
        "by": [],
        "at": "2026-11-21T12:15:00.000000Z",
        "reason": reason,
    }


def test_an_escalation_says_since_when_people_can_see_it():
    """The agent can tell a question that nobody answers from one that nobody has been shown."""
    seen = view_of(PENDING, bound=BOUND, execution=None, shown_at=NOON + timedelta(seconds=1))

    assert sent(seen) == PENDING_VIEW | {"shown_at": "2026-11-21T12:00:01.000000Z"}


def test_a_refused_escalation_says_why():
    """What was refused at intake has a decision, too: the refusal's sentence, at the instant it came in."""
    refused = replace(
        PENDING,
        state=State.REFUSED,
        deadline=None,
        ruling=None,
        fingerprint=None,
        refusal=Refusal(code="paused", sentence="Paused (all)."),
        outcome_code="paused",
    )

    assert sent(view_of(refused, bound=None, execution=None)) == PENDING_VIEW | {
        "status": "refused",
        "deadline": None,
        "fingerprint": None,
        "diff": [],
        "ruling": None,
        "decision": {
            "outcome": "refused",
            "code": "paused",
            "by": [],
            "at": "2026-11-21T12:00:00.000000Z",
            "reason": "Paused (all).",
        },
    }


def test_a_cancelled_escalation_says_whose_doing_it_was():
    """Its agent's own wish, the end of the token that it was asked with, or an upgrade; nobody is named either way."""
    over = replace(PENDING, state=State.CANCELLED, revision=2, decided_at=NOON, outcome_code="cancelled")
    with_its_token = replace(over, outcome_code="token_revoked")

    by_an_upgrade = replace(over, outcome_code="upgraded")

    reasons = [
        sent(view_of(one, bound=BOUND, execution=None))["decision"] for one in (over, with_its_token, by_an_upgrade)
    ]

    decision = {"outcome": "cancelled", "by": [], "at": "2026-11-21T12:00:00.000000Z"}
    assert reasons == [
        decision | {"code": "cancelled", "reason": "The agent took it back."},
        decision | {"code": "token_revoked", "reason": "The token it was asked with was revoked."},
        decision
        | {
            "code": "upgraded",
            "reason": "An upgrade of Countersign ended it before it started. Ask again, under another key.",
        },
    ]


def test_an_execution_shows_how_far_it_is():
    """Every change of the execution raises the version, so that a long poll sees it."""
    approved = replace(PENDING, state=State.APPROVED, revision=2, decided_at=NOON, decided_by=(Account("T0123:U0ADA"),))
    execution = Execution(
        id=ExecutionId("exe_1"),
        escalation=EscalationId("esc_1"),
        step=0,
        state=Phase.APPLIED,
        revision=7,
        agent="scaler",
        environment="demo",
        namespace="shop",
        cluster_uid="c",
        object_uid="u",
        fingerprint="f" * 64,
        valid_until=NOON + timedelta(minutes=15),
        due_at=NOON,
        effect=Effect.IN_PROGRESS,
        message="4 of 6 pods ready.",
    )
    drift = (
        Change(path="/spec/replicas", before=3, after=4),
        Change(path="/spec/x", before=Redacted(mac="m"), after=None),
    )
    voided = replace(
        execution, state=Phase.VOIDED, effect=None, reason=Reason.DRIFT, revision=8, message="Changed.", drift=drift
    )

    rolling, gone = (view_of(approved, bound=BOUND, execution=seen) for seen in (execution, voided))

    assert sent(rolling)["version"] == 9
    assert sent(rolling)["execution"] == {
        "status": "applied",
        "effect": "in_progress",
        "reason": None,
        "message": "4 of 6 pods ready.",
        "drift": [],
    }
    assert sent(gone)["version"] == 10
    assert sent(gone)["execution"] == {
        "status": "voided",
        "effect": None,
        "reason": "drift",
        "message": "Changed.",
        "drift": [
            {"path": "/spec/replicas", "before": 3, "after": 4},
            {"path": "/spec/x", "before": {"redacted": True}, "after": None},
        ],
    }


def test_a_superseded_escalation_names_its_successor():
    """After a drift the agent can follow the question to its new id."""
    superseded = replace(
        PENDING,
        state=State.SUPERSEDED,
        revision=3,
        decided_at=NOON,
        decided_by=(Account("T0123:U0ADA"),),
        superseded_by=EscalationId("esc_2"),
    )

    view = sent(view_of(superseded, bound=BOUND, execution=None))

    assert (view["status"], view["superseded_by"]) == ("superseded", "esc_2")
    assert view["decision"]["reason"] == "The target changed after the approval, so it never ran."
