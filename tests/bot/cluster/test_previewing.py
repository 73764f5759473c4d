import json
from dataclasses import replace

import pytest

from approvals.change.plan import Change, Evidence, check_changes
from approvals.change.risk import Risk
from approvals.errors import Unavailable, Unplannable
from approvals.identity.names import EscalationId
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import PlanSeed
from tests.bot.cluster.backstage import ENVIRONMENT, Backstage, bound, on_stage
from tests.bot.cluster.scripted import Answer, Reset, Silence, status
from tests.builders import CLUSTER_UID, NOON, a_wish, a_workload, scale_of


def _preview(door):
    return door.preview(
        a_wish(environment=ENVIRONMENT),
        verb=verb_called("scale"),
        occasion=PlanSeed(escalation=EscalationId("esc_1"), at=NOON),
    )


def _tries(server):
    return [request for request in server.received if request.method == "PATCH"]


def test_a_preview_is_a_dry_run_of_the_very_bytes(tmp_path):
    """What is shown is the server's answer to the bytes that would be sent, strictly checked, changing nothing (I8)."""
    with on_stage(tmp_path, Backstage()) as (server, door):
        preview = _preview(door)

    (request,) = _tries(server)
    manager = {"fieldManager": "countersign:esc_1"}
    assert request.query == {"dryRun": "All", "fieldValidation": "Strict", **manager}
    assert json.loads(request.body)["metadata"]["resourceVersion"] == "100"
    assert preview.cluster_uid == CLUSTER_UID
    assert preview.steps[0].changes == (Change(path="/spec/replicas", before=3, after=6),)
    assert preview.evidence == Evidence(
        seen_at=NOON,
        resource_version="100",
        generation=4,
        risk=Risk.LOW,
        blind_spots=verb_called("scale").blind_spots,
        blast="3 pods more",
    )


def _twice(*known):
    return verb_called("scale").build(*known) * 2


def test_a_verb_of_two_writes_is_tried_out_and_asked_of_nobody(tmp_path):
    """A verb that builds two steps gets as far as its dry runs; no plan is made of them, so that nothing can be approved."""
    verb = replace(verb_called("scale"), build=_twice)
    occasion = PlanSeed(escalation=EscalationId("esc_1"), at=NOON)
    with on_stage(tmp_path, Backstage()) as (server, door):
        preview = door.preview(a_wish(environment=ENVIRONMENT), verb=verb, occasion=occasion)

    with pytest.raises(Unplannable) as refusal:
        check_changes(preview)

    assert refusal.value.code == "several_steps"
    assert [request.query["dryRun"] for request in _tries(server)] == ["All", "All"]


def test_warnings_of_the_dry_run_are_evidence(tmp_path):
    """What the server warned of is shown to people, in its words."""
    warned = Answer(body=scale_of(a_workload(replicas=6)), headers=(("Warning", '299 - "careful"'),))
    with on_stage(tmp_path, Backstage(odd={("PATCH", "scale"): warned})) as (_, door):
        assert _preview(door).evidence.warnings == ("careful",)


ADMISSION = {
    "kind": "Status",
    "reason": "Forbidden",
    "message": 'admission webhook "guard.example" denied the request: a secret reason',
}

REFUSALS = {
    "no target": ({("GET", "checkout"): status(404, "NotFound")}, "target_not_found"),
    "a webhook": ({("PATCH", "scale"): Answer(status=403, body=ADMISSION)}, "refused_by_cluster"),
    "gone meanwhile": ({("PATCH", "scale"): status(404, "NotFound")}, "target_not_found"),
    "invalid": ({("PATCH", "scale"): status(422, "Invalid")}, "refused_by_cluster"),
    "a webhook with side effects": ({("PATCH", "scale"): status(400, "BadRequest")}, "refused_by_cluster"),
}


@pytest.mark.parametrize(("odd", "code"), REFUSALS.values(), ids=REFUSALS)
def test_a_refused_preview_asks_nobody(tmp_path, odd, code):
    """What the server refuses cannot be put before people; the sentence holds nothing of the server's text (I12)."""
    with on_stage(tmp_path, Backstage(odd=odd)) as (_, door), pytest.raises(Unplannable) as refusal:
        _preview(door)

    assert refusal.value.code == code
    assert "secret" not in refusal.value.sentence


UNKNOWN = {
    "no right to read": {("GET", "checkout"): status(403, "Forbidden")},
    "no right to try": {("PATCH", "scale"): status(403, "Forbidden")},
    "no planner": {("POST", "token"): status(404, "NotFound")},
    "no right to mint": {("POST", "token"): status(403, "Forbidden")},
    "no metadata": {("GET", "checkout"): Answer(body={"kind": "Deployment"})},
    "no list": {("GET", "horizontalpodautoscalers"): Answer(body={"items": "none"})},
    "no such list": {("GET", "horizontalpodautoscalers"): status(404, "NotFound")},
    "busy": {("PATCH", "scale"): status(429, "TooManyRequests")},
    "broken": {("GET", "scale"): status(500, "InternalError")},
    "not ready": {("GET", "scale"): status(503, "ServiceUnavailable")},
    "slow": {("GET", "scale"): Silence()},
    "reset": {("PATCH", "scale"): Reset()},
    "cut": {("GET", "checkout"): Answer(body=a_workload(), cut_after=20)},
    "garbage": {("GET", "horizontalpodautoscalers"): Answer(body=b"<html>")},
    "a proxy's refusal": {("GET", "checkout"): Answer(status=403, body=b"<html>")},
    "which cluster": {("GET", "kube-system"): status(403, "Forbidden")},
    "no answer about which": {("GET", "kube-system"): status(500, "InternalError")},
}


@pytest.mark.parametrize("odd", UNKNOWN.values(), ids=UNKNOWN)
def test_an_answer_that_is_not_known_is_no_preview(tmp_path, odd):
    """Doubt is never a plan: it may be asked again later (I18)."""
    with on_stage(tmp_path, Backstage(odd=odd)) as (_, door), pytest.raises(Unavailable):
        _preview(door)


def test_a_race_is_looked_at_again(tmp_path):
    """Somebody changed the target between read and dry run: everything is read anew and one state is shown."""
    backstage = Backstage()

    def raced_once(request):
        backstage.odd = {}
        return status(409, "Conflict")

    backstage.odd = {("PATCH", "scale"): raced_once}
    with on_stage(tmp_path, backstage) as (server, door):
        preview = _preview(door)

    assert len(_tries(server)) == 2
    assert preview.steps[0].changes == (Change(path="/spec/replicas", before=3, after=6),)


def test_two_reads_of_two_states_are_no_picture(tmp_path):
    """The object and its scale must be of one resource version; three times are enough."""
    moved = a_workload()
    moved["metadata"]["resourceVersion"] = "101"
    with on_stage(tmp_path, Backstage(odd={("GET", "checkout"): Answer(body=moved)})) as (server, door):
        with pytest.raises(Unavailable, match="keep changing"):
            _preview(door)

        assert len([one for one in server.received if one.path.endswith("/checkout")]) == 3
    assert _tries(server) == []


def test_an_environment_without_a_cluster_is_no_answer(tmp_path):
    """Nothing configured means no, in words that name the environment."""
    with on_stage(tmp_path, Backstage()) as (_, door), pytest.raises(Unavailable, match="configured for elsewhere"):
        door.cluster_uid("elsewhere")


def test_an_observers_token_that_is_not_accepted_is_no_answer(tmp_path):
    """A fresh token that the server does not take says nothing about the object."""
    odd = {("GET", "checkout"): status(401, "Unauthorized")}
    with (
        on_stage(tmp_path, Backstage(odd=odd)) as (_, door),
        pytest.raises(Unavailable, match="does not accept the account countersign-acme-watch-scaler"),
    ):
        door.observe(environment=ENVIRONMENT, agent="scaler", bound=bound(), step=0)


def test_a_bot_that_is_not_accepted_does_not_know_which_cluster_it_is(tmp_path):
    """The bot's own account was refused twice: nothing is planned."""
    odd = {("GET", "kube-system"): status(401, "Unauthorized")}
    with (
        on_stage(tmp_path, Backstage(odd=odd)) as (_, door),
        pytest.raises(Unavailable, match="does not accept the bot's own account"),
    ):
        _preview(door)


@pytest.mark.parametrize("code", [403, 500])
def test_an_observer_that_may_not_look_knows_nothing(tmp_path, code):
    """Only 404 means gone; any other refusal is not an answer about the object."""
    odd = {("GET", "checkout"): status(code, "Whatever")}
    with on_stage(tmp_path, Backstage(odd=odd)) as (_, door), pytest.raises(Unavailable):
        door.observe(environment=ENVIRONMENT, agent="scaler", bound=bound(), step=0)
