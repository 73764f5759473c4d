"""The registry: every verb of the folder and no other, and what holds for each of them."""

import json
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from approvals import verbs
from approvals.change.diff import changes_between
from approvals.change.plan import PatchType
from approvals.errors import Malformed
from approvals.identity.accounts import in_names
from approvals.verbs.parameter import WholeNumber
from approvals.verbs.registry import REGISTRY, verb_called
from approvals.verbs.verb import Fence, PlanSeed, StepDraft, TargetKind, Verb, field_manager
from tests.builders import ESCALATION, NOON, a_mac, a_target, a_workload, an_action, an_autoscaler, scale_of

CASES = [(verb, kind) for verb in REGISTRY for kind in verb.kinds]
BY_NAME = [f"{verb.name} {kind.name}" for verb, kind in CASES]


def a_thing(kind: str) -> dict[str, Any]:
    """Return an object of *kind*."""
    return an_autoscaler() if kind == "HorizontalPodAutoscaler" else a_workload(kind)


def a_draft(verb: Verb, kind: TargetKind) -> tuple[StepDraft, Mapping[str, Any]]:
    """Return the one step of *verb* on a workload of *kind*, before its dry run, and what was observed."""
    thing = a_thing(kind.name)
    observed = {"object": thing, "scale": scale_of(a_workload()), "hpas": []}
    arguments = {one.name: one.most for one in verb.parameters if isinstance(one, WholeNumber)}
    occasion = PlanSeed(escalation=ESCALATION, at=NOON)
    (draft,) = verb.build(observed, a_target(kind.name), kind.resource, arguments, occasion)
    return draft, observed


def test_the_registry_is_the_folder():
    """A verb that is not registered would be dead, one that has no file smuggled in; names are told apart and sorted."""
    modules = [
        import_module(f"{verbs.__name__}.{one.name}") for one in iter_modules(verbs.__path__) if one.name != "registry"
    ]
    made = {
        value.name: module.__name__ for module in modules for value in vars(module).values() if isinstance(value, Verb)
    }

    assert [verb.name for verb in REGISTRY] == sorted(made)
    assert {name: module.rpartition(".")[2] for name, module in made.items()} == {name: name for name in made}


def test_a_verb_is_found_by_its_name_alone():
    """I18: an unknown verb is refused, and told which there are."""
    assert [verb_called(verb.name) for verb in REGISTRY] == list(REGISTRY)
    for name in ("", "Scale", "scale ", "delete", "drain"):
        with pytest.raises(Malformed) as refused:
            verb_called(name)
        assert (refused.value.code, refused.value.field, refused.value.sentence) == (
            "unknown_verb",
            "/action/verb",
            "There is no such verb; the verbs are hpa_bounds, restart, scale.",
        )


@pytest.mark.parametrize(("verb", "kind"), CASES, ids=BY_NAME)
def test_a_verb_takes_its_kinds(verb, kind):
    """Each kind is found by name; any other is refused with those there are."""
    assert verb.kind(kind.name) is kind
    with pytest.raises(Malformed) as refused:
        verb.kind("Pod")
    assert (refused.value.code, refused.value.field, refused.value.sentence) == (
        "unknown_kind",
        "/action/target/kind",
        f"{verb.name} takes {' or '.join(kind.name for kind in verb.kinds)}.",
    )


@pytest.mark.parametrize(("verb", "kind"), CASES, ids=BY_NAME)
def test_a_verb_reads_only_what_its_accounts_may(verb, kind):
    """What is asked for while planning is covered by the planner's rules, so that no plan fails for want of a right."""
    rights = {(rule.group, rule.resource, right) for rule in verb.planner_rules for right in rule.verbs}

    for read in verb.reads(a_target(kind.name), kind.resource):
        path = read.resource.plural + (f"/{read.subresource}" if read.subresource else "")
        assert (read.resource.group, path, "list" if read.name is None else "get") in rights
    assert len({read.key for read in verb.reads(a_target(), kind.resource)}) == len(
        verb.reads(a_target(), kind.resource)
    )


@pytest.mark.parametrize(("verb", "kind"), CASES, ids=BY_NAME)
def test_a_verbs_step_is_one_that_its_executor_may_send_and_a_fence_covers(verb, kind):
    """The one write goes to a resource on which the executor has patch, and on which admission fences the fields."""
    step = a_draft(verb, kind)[0].step
    path = step.resource.plural + (f"/{step.subresource}" if step.subresource else "")

    for rules in (verb.executor_rules, verb.planner_rules):
        assert (step.resource.group, path, "patch") in {
            (rule.group, rule.resource, right) for rule in rules for right in rule.verbs
        }
    assert [(fence.group, fence.version) for fence in verb.fences if fence.resource == path] == [
        (kind.resource.group, kind.resource.version)
    ]


@pytest.mark.parametrize(("verb", "kind"), CASES, ids=BY_NAME)
def test_a_verbs_step_names_the_very_object(verb, kind):
    """T-TOC-02: the uid stands in the step and in the body, so that a namesake is refused by the server itself."""
    draft, observed = a_draft(verb, kind)

    assert draft.step.uid == observed["object"]["metadata"]["uid"]
    assert json.loads(draft.step.body)["metadata"]["uid"] == draft.step.uid
    assert (draft.step.namespace, draft.step.name, draft.step.resource) == ("shop", "checkout", kind.resource)
    assert (draft.step.patch_type, draft.step.changes) == (PatchType.MERGE, ())
    assert draft.before in observed


@pytest.mark.parametrize(("verb", "kind"), CASES, ids=BY_NAME)
def test_planning_again_gives_the_same_step(verb, kind):
    """Nothing but what was observed and what was fixed before planning enters a step, so that it can be compared later."""
    assert a_draft(verb, kind)[0] == a_draft(verb, kind)[0]


@pytest.mark.parametrize("verb", REGISTRY, ids=lambda verb: verb.name)
def test_no_account_may_do_more_than_its_work(verb):
    """T-EXE-04: planner and executor get, list, patch; observers get what is changed, and may list pods and events; no more."""
    for rule in (*verb.planner_rules, *verb.executor_rules):
        assert set(rule.verbs) <= {"get", "list", "patch"}
        assert "*" not in (rule.group, rule.resource)
    observed = {(rule.group, rule.resource): rule.verbs for rule in verb.observer_rules}
    around = {("", "events"): ("list",), ("", "pods"): ("list",)} if verb.yardstick.looks_around else {}
    assert observed == {(kind.resource.group, kind.resource.plural): ("get",) for kind in verb.kinds} | around
    assert verb.blind_spots


@pytest.mark.parametrize("verb", REGISTRY, ids=lambda verb: verb.name)
def test_a_fence_says_in_words_what_it_refuses(verb):
    """Each expression comes with a message, and no two of one fence are alike."""
    for fence in verb.fences:
        expressions, messages = zip(*fence.expressions, strict=True)
        assert len(set(expressions)) == len(expressions)
        assert len(set(messages)) == len(messages)
        assert all(messages)


@pytest.mark.parametrize("verb", REGISTRY, ids=lambda verb: verb.name)
def test_every_kind_is_fenced(verb):
    """A kind that was forgotten would be open to whatever the executor's patch may say."""
    plurals = {fence.resource.partition("/")[0] for fence in verb.fences}

    assert plurals == {kind.resource.plural for kind in verb.kinds}
    assert all(isinstance(fence, Fence) for fence in verb.fences)


def test_parameters_are_checked_one_by_one():
    """T-AUTH-09, T-TIME-05's kind of nonsense: missing, unknown, of another type or out of bounds, each by its own code."""
    scale, field = verb_called("scale"), "/action/parameters/replicas"
    wrong: list[tuple[dict[str, Any], str, str, str]] = [
        ({}, "missing_field", field, "scale needs the parameter replicas."),
        ({"replicas": "6"}, "wrong_type", field, "replicas is a whole number."),
        ({"replicas": True}, "wrong_type", field, "replicas is a whole number."),
        ({"replicas": -1}, "out_of_range", field, "replicas is from 0 to 1000."),
        ({"replicas": 1001}, "out_of_range", field, "replicas is from 0 to 1000."),
        ({"replicas": 6, "force": True}, "unknown_field", "/action/parameters", "scale takes no such parameter."),
    ]

    for parameters, code, pointer, sentence in wrong:
        action = an_action("none", **parameters)
        with pytest.raises(Malformed) as refused:
            scale.check(action)
        assert (refused.value.code, refused.value.field, refused.value.sentence) == (code, pointer, sentence)
    for replicas in (0, 1, 1000):
        scale.check(an_action(replicas=replicas))


def test_restart_takes_no_parameters():
    """What a verb does not take it does not swallow either; the kind is checked first."""
    restart = verb_called("restart")

    restart.check(an_action("restart"))
    with pytest.raises(Malformed):
        restart.check(an_action("restart", replicas=6))
    with pytest.raises(Malformed) as refused:
        restart.check(an_action("restart", target=a_target("Pod"), replicas=6))
    assert refused.value.code == "unknown_kind"


def test_the_mark_of_a_write_is_bound_to_its_escalation():
    """The field manager tells whose write it was, within the server's limit of 128 bytes."""
    assert field_manager(ESCALATION) == f"countersign:{ESCALATION}"
    assert len(field_manager(ESCALATION).encode()) <= 128


@pytest.mark.parametrize(("verb", "kind"), CASES, ids=BY_NAME)
def test_what_is_reviewed_is_every_difference(verb, kind):
    """A verb shows whatever its dry run changed: nothing is filtered beyond the server's own bookkeeping."""
    before = scale_of(a_workload(kind.name)) if verb.name == "scale" else a_thing(kind.name)
    after = {**before, "metadata": {**before["metadata"], "labels": {"added": "by a webhook"}}}

    assert verb.reviewed(before, after, a_mac) == changes_between(before, after, mac=a_mac)
    assert "/metadata/labels/added" in {change.path for change in verb.reviewed(before, after, a_mac)}


@pytest.mark.parametrize("verb", REGISTRY, ids=lambda verb: verb.name)
def test_a_verb_is_tried_out_where_its_fence_stands(verb):
    """The trial writes where planner and executor may, to a kind that the verb takes and fences: else it would prove nothing."""
    trial = verb.trial
    path = trial.kind.resource.plural + (f"/{trial.subresource}" if trial.subresource else "")

    assert trial.kind in verb.kinds
    assert path in {fence.resource for fence in verb.fences}
    for rules in (verb.executor_rules, verb.planner_rules):
        assert "patch" in {right for rule in rules if rule.resource == path for right in rule.verbs}
    assert (trial.canary is None) == (trial.kind.name == "Deployment")


def test_no_verb_passes_for_another_by_its_account():
    """The fences know an executor by how its name ends: no verb's ending is the end of another's."""
    endings = [f"-{in_names(verb.name)}" for verb in REGISTRY]

    assert [one for one in endings for other in endings if one != other and other.endswith(one)] == []
    assert in_names("hpa_bounds") == "hpa-bounds"
