"""The small nouns: names, accounts, risk, refusals, reviews and an agent's words."""

import inspect
from dataclasses import fields, replace

import pytest

from approvals import errors
from approvals.change.action import AGENT_NAME, ENVIRONMENT_NAME, NAMESPACE_NAME, OBJECT_NAME
from approvals.change.plan import bound_bytes, fingerprint_of
from approvals.change.risk import Risk
from approvals.errors import Clash, Forbidden, KeyReused, Late, Malformed, Paused, Refused
from approvals.identity.accounts import Installation, ServiceAccount
from approvals.policy.ruling import Requirement
from approvals.ports.rows import justification_among, texts_of
from approvals.presentation.review import Review, review_of
from approvals.verbs.registry import verb_called
from approvals.workflow.escalation import Attachment, Justification
from tests.builders import (
    BORIS,
    CHEN,
    ESCALATION,
    a_change,
    a_plan,
    a_preview,
    a_ruling,
    a_target,
    an_approver_set,
    an_escalation,
    evidence,
)


def test_each_purpose_has_a_service_account_of_its_own():
    """Planner, executor by verb, observer: none can do another's work, and an agent's namespaces are apart."""
    acme = Installation(name="acme")

    assert acme.bot == ServiceAccount(namespace="countersign-acme", name="countersign")
    assert acme.planner("scaler", "shop") == ServiceAccount(namespace="shop", name="countersign-acme-plan-scaler")
    executor = ServiceAccount(namespace="shop", name="countersign-acme-exec-scaler-scale")
    assert acme.executor("scaler", "scale", "shop") == executor
    assert acme.observer("scaler", "shop") == ServiceAccount(namespace="shop", name="countersign-acme-watch-scaler")
    assert acme.planner("scaler", "shop").username == "system:serviceaccount:shop:countersign-acme-plan-scaler"


def test_the_longest_account_name_is_one_that_kubernetes_takes():
    """An agent's name is short because service accounts are named by it."""
    longest = "a" * 30

    assert AGENT_NAME.fullmatch(longest)
    assert not AGENT_NAME.fullmatch(longest + "a")
    assert OBJECT_NAME.fullmatch(Installation(name="a" * 20).executor(longest, "restart", "shop").name)


BAD = ["", "-a", "a-", "A", "a_b", "a b", "a\n", "a/b", "../a", "%2e%2e", "--server=https://evil", "-o=yaml"]


@pytest.mark.parametrize("name", [*BAD, "\u0440rod", "\uff50rod", "a.b", "a" * 64])
def test_a_namespace_is_ascii_and_short(name):
    """T-RND-07, T-EXE-06: look-alike letters, options and paths never pass as a name."""
    with pytest.raises(Malformed) as refused:
        a_target(namespace=name)

    assert (refused.value.code, refused.value.field, refused.value.sentence) == (
        "malformed",
        "/action/target/namespace",
        "A namespace is 1-63 lower-case letters, digits and dashes.",
    )
    assert not ENVIRONMENT_NAME.fullmatch(name)
    assert not NAMESPACE_NAME.fullmatch(name)


@pytest.mark.parametrize("name", [*BAD, "\u0441heckout", "a.", "a" * 254])
def test_a_name_is_ascii_and_short(name):
    """An object's name may have dots inside and be longer; nothing else is different."""
    with pytest.raises(Malformed) as refused:
        a_target(name=name)

    assert (refused.value.field, refused.value.sentence) == (
        "/action/target/name",
        "A name is 1-253 lower-case letters, digits, dashes and dots.",
    )


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a" * 63])
def test_names_that_kubernetes_takes_are_taken(name):
    """Both ends of the lengths; a target is written as people write it."""
    assert str(a_target(namespace=name, name=name)) == f"Deployment {name}/{name}"
    assert str(a_target(name="a.b" + "c" * 250)).endswith("c")


def test_risk_sorts_from_low_to_critical():
    """The highest of several counts, whatever the order of the alphabet."""
    assert [risk.rank for risk in (Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL)] == [0, 1, 2, 3]
    assert Risk.highest(Risk.MEDIUM, Risk.CRITICAL, Risk.LOW) is Risk.CRITICAL
    assert Risk.highest(Risk.LOW, Risk.MEDIUM) is Risk.MEDIUM
    assert Risk.highest(Risk.HIGH) is Risk.HIGH


def test_every_refusal_has_a_code_of_its_own():
    """Programs tell refusals apart by code, so no two classes share one."""
    kinds = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Refused)]

    assert sorted(kind.code for kind in kinds) == sorted({kind.code for kind in kinds})


def test_a_refusal_carries_code_sentence_and_field():
    """The class's code unless a narrower one is given; the sentence is what a person reads; the field is the culprit."""
    plain, narrow = Late("Too late."), Malformed("No.", code="unknown_verb", field="/action/verb")

    assert (plain.code, plain.sentence, plain.field, str(plain)) == ("late", "Too late.", None, "Too late.")
    assert (narrow.code, narrow.sentence, narrow.field) == ("unknown_verb", "No.", "/action/verb")
    assert isinstance(Paused("x"), Forbidden)
    assert isinstance(KeyReused("x"), Clash)


def test_a_review_is_made_of_the_plan_and_the_ruling_alone():
    """Everything trusted that an approver sees; nothing of it is the agent's word, a clock or a count of votes."""
    seen = evidence(warnings=("w",), findings=("f",), blind_spots=("b",), blast="3 pods more")
    plan = a_plan(preview=a_preview(evidence=seen))
    managers = an_approver_set("managers", accounts=[BORIS])
    ruling = replace(
        a_ruling(),
        risk=Risk.HIGH,
        quorum=2,
        panels=(Requirement(rule="one", sets=(an_approver_set(), managers)), Requirement(rule="two", sets=(managers,))),
    )

    review = review_of(
        plan,
        ruling,
        fingerprint=fingerprint_of(bound_bytes(plan.bound)),
        verb=verb_called("scale"),
        agent="scaler",
        environment="prod-eu-1",
        on_behalf_of=CHEN,
    )

    assert review == Review(
        escalation=ESCALATION,
        title="Scale Deployment checkout 3 → 6 in shop",
        environment="prod-eu-1",
        target="Deployment shop/checkout",
        agent="scaler",
        on_behalf_of=CHEN,
        risk=Risk.HIGH,
        blast="3 pods more",
        changes=(a_change(),),
        findings=("f",),
        warnings=("w",),
        blind_spots=("b",),
        reasons=("Rule shop-changes asks platform.",),
        approvers=("platform or managers", "managers"),
        quorum=2,
        short_fingerprint="4ae9e0223a92",
    )


def test_an_agents_words_stand_by_name():
    """What the agent said is kept apart from what was found out, each text under a name of its own."""
    justification = Justification(
        rationale="slow", attachments=(Attachment(title="p99", text="4.1 s"), Attachment(title="", text="log"))
    )

    assert texts_of(justification) == {
        "rationale": "slow",
        "evidence 1 title": "p99",
        "evidence 1 text": "4.1 s",
        "evidence 2 title": "",
        "evidence 2 text": "log",
    }
    assert texts_of(Justification(rationale="")) == {"rationale": ""}
    assert justification_among(
        texts_of(justification) | {"reason": "a voter's", "my evidence 1 text": "?"}
    ) == texts_of(justification)


def test_a_plea_holds_nothing_that_was_checked():
    """Everything in it is the agent's claim: no field of it may grow into something that policy trusts."""
    assert {field.name for field in fields(an_escalation().justification)} == {
        "rationale",
        "breaches",
        "attachments",
        "confidence",
    }
