"""Plans: the fingerprint moves with everything people approve and with nothing else; what is sent is what was shown."""

import json
import random
from dataclasses import fields, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import framed
from approvals.canonical import NotCanonical, decode, encode, tagged
from approvals.change.action import ProposedAction, Target
from approvals.change.plan import (
    FINGERPRINT,
    Bound,
    Change,
    Evidence,
    Plan,
    Redacted,
    Resource,
    Step,
    bind,
    bound_bytes,
    bound_facts,
    bound_of,
    bytes_hash,
    changes_of,
    effect_key,
    effect_keys,
    envelope,
    fingerprint_of,
    is_short_of,
    json_text,
)
from approvals.change.risk import Risk
from approvals.errors import Unplannable
from approvals.facts import facts_of
from tests.approvals.strategies import FEW, anything
from tests.builders import (
    CLUSTER_UID,
    ESCALATION,
    MINUTE,
    NOON,
    a_change,
    a_plan,
    a_preview,
    a_step,
    a_target,
    evidence,
)

EXECUTOR = "system:serviceaccount:shop:exec-scaler-scale"


def print_of(bound: Bound) -> str:
    """Return the fingerprint of *bound*."""
    return fingerprint_of(bound_bytes(bound))


def a_bound(**changed: Any) -> Bound:
    """Return what binds the plan of scaling ``shop/checkout`` from 3 to 6."""
    return replace(a_plan().bound, **changed)


def with_step(**changed: Any) -> Bound:
    """Return the same with its one step changed."""
    return a_bound(steps=(a_step(**changed),))


def test_what_binds_is_what_was_previewed_and_what_policy_adds():
    """Nothing is lost or made up between preview and plan; arguments stand sorted."""
    arguments = {"b": 1, "a": True}

    plan = bind(
        a_preview(),
        escalation=ESCALATION,
        action=ProposedAction(verb="scale", target=a_target(), parameters=arguments),
        executor=EXECUTOR,
        valid_for=15 * MINUTE,
    )

    assert plan == Plan(
        bound=Bound(
            schema=2,
            cluster_uid=CLUSTER_UID,
            escalation=ESCALATION,
            verb="scale",
            target=a_target(),
            arguments={"a": True, "b": 1},
            executor=EXECUTOR,
            valid_for=timedelta(minutes=15),
            steps=(a_step(),),
        ),
        evidence=evidence(),
    )
    assert list(plan.bound.arguments) == ["a", "b"]


@pytest.mark.parametrize("steps", [(), (a_step(changes=()),), (a_step(changes=()), a_step(changes=()))])
def test_a_plan_that_changes_nothing_is_refused(steps):
    """T-TOC-14: nobody is asked to approve nothing."""
    with pytest.raises(Unplannable) as refusal:
        a_plan(preview=a_preview(steps=steps))

    assert (refusal.value.code, refusal.value.sentence) == (
        "no_change",
        "This would change nothing: the target already is as asked.",
    )


@pytest.mark.parametrize(
    "steps", [(a_step(), a_step()), (a_step(changes=()), a_step()), (a_step(), a_step(changes=()))]
)
def test_a_plan_of_several_steps_is_refused(steps):
    """I8: one write is carried out for an approval, so nobody is asked to approve two, and none is left out silently."""
    with pytest.raises(Unplannable) as refusal:
        a_plan(preview=a_preview(steps=steps))

    assert (refusal.value.code, refusal.value.sentence) == (
        "several_steps",
        "This takes several writes, and a plan holds one.",
    )


def test_all_changes_of_a_plan_are_listed_in_order():
    """Whoever reviews a plan sees each field that it changes."""
    other = a_change("/spec/paused", before=False, after=True)

    plan = a_plan(preview=a_preview(steps=(a_step(changes=(other, a_change())),)))

    assert changes_of(plan.bound) == (other, a_change())


def test_the_fingerprint_is_the_hash_of_the_bytes_that_are_stored():
    """One object: the plan, and a tag that says what it is; so whoever has the bytes needs nothing but SHA-256."""
    data = bound_bytes(a_bound())

    assert decode(data) == {**bound_facts(a_bound()), "tag": "countersign/fingerprint/2"}
    assert fingerprint_of(data) == sha256(data).hexdigest()


def test_a_plan_of_before_is_still_read():
    """What was stored in the framed encoding keeps its fingerprint, and gives its plan back."""
    data = framed.encode(facts_of(a_bound()))

    assert fingerprint_of(data) == sha256(b"25:countersign/fingerprint/1%d:%s" % (len(data), data)).hexdigest()
    assert bound_of(data) == a_bound()


@pytest.mark.parametrize(
    ("value", "code"), [(2**53, "number_too_large"), (-(2**53), "number_too_large"), ("\ud800", "not_unicode")]
)
def test_a_plan_that_no_hash_can_speak_of_is_refused(value, code):
    """A number that some readers would change, or half a character, is refused with its own code before anybody is asked."""
    bound = with_step(changes=(a_change(after=value),))

    for hashed in (bound_bytes, lambda bound: effect_key(bound, {})):
        with pytest.raises(Unplannable) as refusal:
            hashed(bound)
        assert refusal.value.code == code


def test_the_bytes_of_a_plan_give_the_plan_back():
    """What is executed is read from the bytes that were hashed, so it is the very plan that was approved."""
    assert bound_of(bound_bytes(a_bound())) == a_bound()


@FEW
@given(anything(Bound))
def test_any_plan_comes_back_from_its_bytes(bound):
    """Whatever a plan holds, hidden values included, its bytes give it back."""
    assert bound_of(bound_bytes(bound)) == bound


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotCanonical),
        (b"[]", ValueError),
        (b"m0:", KeyError),
        (bound_bytes(a_bound()) + b"n", NotCanonical),
        (encode(facts_of(a_bound())), ValueError),
        (tagged("countersign/event/2", bound_facts(a_bound())), ValueError),
        (tagged(FINGERPRINT, {}), KeyError),
    ],
    ids=["nothing", "a list", "none of before", "too long", "without its tag", "of another tag", "nothing but its tag"],
)
def test_bytes_that_are_no_plan_are_refused(data, error):
    """A stored plan that was tampered with is no plan."""
    with pytest.raises(error):
        bound_of(data)


def shuffled(value: Any, order: random.Random) -> Any:
    """Return *value* with the keys of every mapping in it put in another order."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(one, order) for one in value] if isinstance(value, list) else value


@FEW
@given(anything(Bound), st.randoms(use_true_random=False))
def test_the_order_of_keys_leaves_the_fingerprint_alone(bound, order):
    """T-TOC-10: the same change said in another key order is the same change."""
    assert fingerprint_of(tagged(FINGERPRINT, shuffled(facts_of(bound), order))) == print_of(bound)


@FEW
@given(anything(Bound), anything(Bound))
def test_two_plans_share_a_fingerprint_only_if_they_are_one(one, other):
    """T-TOC-10: any difference of substance is another fingerprint."""
    assert (print_of(one) == print_of(other)) == (facts_of(one) == facts_of(other))


EDITS = {
    "schema": a_bound(schema=3),
    "cluster": a_bound(cluster_uid="another"),
    "escalation": a_bound(escalation="esc_2"),
    "verb": a_bound(verb="restart"),
    "kind": a_bound(target=a_target(kind="StatefulSet")),
    "namespace": a_bound(target=a_target(namespace="pay")),
    "name": a_bound(target=a_target(name="cart")),
    "argument": a_bound(arguments={"replicas": 7}),
    "argument's type": a_bound(arguments={"replicas": "6"}),
    "argument that is a bool": a_bound(arguments={"replicas": True}),
    "another argument": a_bound(arguments={"replicas": 6, "force": True}),
    "executor": a_bound(executor="system:serviceaccount:shop:admin"),
    "validity": a_bound(valid_for=15 * MINUTE + timedelta(microseconds=1)),
    "no step": a_bound(steps=()),
    "one step more": a_bound(steps=(a_step(), a_step())),
    "resource": with_step(resource=Resource(group="apps", version="v1", plural="statefulsets")),
    "group": with_step(resource=Resource(group="", version="v1", plural="deployments")),
    "version": with_step(resource=Resource(group="apps", version="v2", plural="deployments")),
    "step's namespace": with_step(namespace="pay"),
    "step's name": with_step(name="cart"),
    "uid": with_step(uid="another"),
    "subresource": with_step(subresource=None),
    "body": with_step(body=json_text({"spec": {"replicas": 7}})),
    "no change": with_step(changes=()),
    "path": with_step(changes=(a_change("/spec/paused"),)),
    "before": with_step(changes=(a_change(before=2),)),
    "before, absent": with_step(changes=(a_change(before=None),)),
    "after": with_step(changes=(a_change(after=5),)),
    "after, as text": with_step(changes=(a_change(after="6"),)),
    "a hidden before": with_step(changes=(a_change(before=Redacted(mac="1")),)),
    "another hidden before": with_step(changes=(a_change(before=Redacted(mac="2")),)),
}


def test_every_edit_of_what_binds_is_a_fingerprint_of_its_own():
    """T-TOC-10: each field that people approve moves the fingerprint, each edit to another one; a hidden edit too."""
    prints = {name: print_of(bound) for name, bound in EDITS.items()}

    assert len({print_of(a_bound()), *prints.values()}) == len(EDITS) + 1


def test_every_field_that_binds_has_an_edit_above():
    """A field added to what binds must be tried as well."""
    tried = {
        f"{kind.__name__}.{field.name}" for kind in (Bound, Step, Change, Resource, Target) for field in fields(kind)
    }

    assert tried == {
        *("Bound.schema", "Bound.cluster_uid", "Bound.escalation", "Bound.verb", "Bound.target", "Bound.arguments"),
        *("Bound.executor", "Bound.valid_for", "Bound.steps"),
        *("Step.resource", "Step.namespace", "Step.name", "Step.uid", "Step.subresource", "Step.patch_type"),
        *("Step.body", "Step.changes"),
        *("Change.path", "Change.before", "Change.after"),
        *("Resource.group", "Resource.version", "Resource.plural"),
        *("Target.kind", "Target.namespace", "Target.name"),
    }


@FEW
@given(anything(Evidence))
def test_nothing_of_the_evidence_enters_the_fingerprint(seen):
    """I9: resource versions, generations, warnings and the hour of planning come and go and void nothing."""
    assert print_of(a_plan(preview=a_preview(evidence=seen)).bound) == print_of(a_bound())


def test_no_instant_or_resource_version_can_bind():
    """What moves by itself has no place in what binds: no field of it is an instant or a resource version."""
    data = bound_bytes(a_plan(preview=a_preview(evidence=evidence(resource_version="4242", seen_at=NOON))).bound)

    assert b"4242" not in data
    assert b"2026-" not in data


WORDS: dict[str, str | None] = {"/restartedAt": "restarted", "/mark": None}
"""What a verb says of its own fields."""


@pytest.mark.parametrize(
    "same",
    [
        a_bound(escalation="esc_2"),
        a_bound(verb="restart"),
        with_step(uid="another"),
        with_step(changes=(a_change(), a_change("/mark", after=2))),
        a_bound(executor="another"),
        a_bound(valid_for=MINUTE),
        with_step(changes=(a_change(before=1),)),
        with_step(body="{}"),
    ],
    ids=["escalation", "verb", "uid", "mark", "executor", "validity", "before", "body"],
)
def test_the_effect_is_the_same_whoever_asks_and_wherever_it_starts_from(same):
    """The same wanted values in the same workload are the same effect, whatever verb and mark they come with."""
    assert effect_key(same, WORDS) == effect_key(a_bound(), WORDS)


def test_an_instant_is_no_part_of_an_effect():
    """A restart asked for now and one asked for a second later are the same restart; a restart and a mark alone are not."""
    restarts = [with_step(changes=(a_change("/restartedAt", after=at), a_change("/mark"))) for at in ("now", "later")]
    marked = with_step(changes=(a_change("/mark"),))

    keys = [effect_key(bound, WORDS) for bound in (*restarts, marked)]

    assert keys[0] == keys[1] != keys[2]


def test_a_key_for_each_changed_field_in_any_order():
    """What touches one field of several shares that field's key with what touches it alone."""
    both = with_step(changes=(a_change("/spec/paused"), a_change()))
    swapped = with_step(changes=(a_change(), a_change("/spec/paused")))

    assert effect_keys(both, {}) == effect_keys(swapped, {})
    assert set(effect_keys(a_bound(), {})) < set(effect_keys(both, {}))


OTHER_EFFECTS = {
    "none": a_bound(),
    "cluster": a_bound(cluster_uid="another"),
    "namespace": a_bound(target=a_target(namespace="pay")),
    "name": a_bound(target=a_target(name="another")),
    "kind": a_bound(target=a_target(kind="StatefulSet")),
    "path": with_step(changes=(a_change("/spec/paused"),)),
    "after": with_step(changes=(a_change(after=5),)),
    "hidden": with_step(changes=(a_change(after=Redacted(mac="1")),)),
    "otherwise hidden": with_step(changes=(a_change(after=Redacted(mac="2")),)),
    "two steps": a_bound(steps=(a_step(), a_step())),
    "two changes": with_step(changes=(a_change(), a_change("/spec/paused"))),
}


def test_another_workload_field_or_value_is_another_effect():
    """Each difference in what would be so afterwards is a key of its own."""
    assert len({effect_key(bound, WORDS) for bound in OTHER_EFFECTS.values()}) == len(OTHER_EFFECTS)


def test_the_effect_key_is_the_hash_of_what_is_wanted():
    """The key is stored and compared across versions, so its making is held fast."""
    workload = '{"kind":"Deployment","name":"checkout","namespace":"shop"}'
    what = f'"field":"/spec/replicas","tag":"countersign/effect/3","wanted":6,"workload":{workload}'
    field = f'{{"cluster":"{CLUSTER_UID}",{what}}}'
    one = sha256(field.encode()).hexdigest()
    whole = f'{{"effects":["{one}"],"tag":"countersign/effects/2"}}'

    assert effect_keys(a_bound(), WORDS) == (one,)
    assert effect_key(a_bound(), WORDS) == sha256(whole.encode()).hexdigest()


def test_the_envelope_adds_the_precondition_and_nothing_else():
    """I8: what goes out is the approved body plus the resource version it is conditional on."""
    sent = envelope(a_step(), "100")

    assert sent == (
        b'{"metadata":{"resourceVersion":"100","uid":"1d0f8f3e-52f3-4b0e-8f43-5c1f2d5c7a10"},"spec":{"replicas":6}}'
    )


def test_a_body_without_metadata_gets_only_the_precondition():
    """A body that says nothing of metadata is sent with the resource version and no more."""
    assert envelope(a_step(body='{"spec":{"replicas":6}}'), "7") == (
        b'{"metadata":{"resourceVersion":"7"},"spec":{"replicas":6}}'
    )


BODIES = st.dictionaries(
    st.sampled_from(["metadata", "spec", "data"]),
    st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    max_size=3,
)


@FEW
@given(BODIES, st.text("0123456789", min_size=1, max_size=9))
def test_taking_the_precondition_away_leaves_the_body(body, version):
    """Whatever the body, the bytes say it and the precondition, in one form only."""
    body.get("metadata", {}).pop("resourceVersion", None)

    said = json.loads(envelope(a_step(body=json_text(body)), version))

    assert said["metadata"].pop("resourceVersion") == version
    assert said == {**body, "metadata": body.get("metadata", {})}
    assert envelope(a_step(body=json_text(dict(reversed(body.items())))), version) == envelope(
        a_step(body=json_text(body)), version
    )


def test_a_body_has_one_form():
    """Sorted keys, no spaces, letters as they are: planning twice gives the same bytes."""
    assert json_text({"b": [1, {"d": None, "c": "é"}], "a": True}) == '{"a":true,"b":[1,{"c":"é","d":null}]}'


def test_sent_bytes_are_remembered_by_their_hash():
    """An attempt remembers what it sent by SHA-256, so that a resend can be held against it."""
    assert bytes_hash(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("short", "stands"),
    [("a" * 12, True), ("a" * 11, False), ("a" * 13, False), ("a" * 64, False), ("", False), ("b" * 12, False)],
)
def test_a_button_carries_the_first_twelve_digits(short, stands):
    """A short fingerprint stands for the one that it begins, whole or not at all."""
    assert is_short_of(short, "a" * 64) is stands


def test_evidence_starts_empty():
    """What was not seen is not claimed: no warnings, findings, blind spots or words about the blast."""
    seen = Evidence(seen_at=NOON, resource_version="1", generation=1, risk=Risk.LOW)

    assert (seen.warnings, seen.blind_spots, seen.findings, seen.blast) == ((), (), (), "")
