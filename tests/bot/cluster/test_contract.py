"""The contract: what the cluster door promises its use cases, held on the real API server and on the stand-in."""

import json

import pytest

from approvals.change.plan import Change, fingerprint_of
from approvals.change.plan import bound_bytes as bytes_of
from approvals.change.risk import Risk
from approvals.errors import Unplannable
from approvals.ports.cluster import Came
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import Effect, Landed, Progress
from tests.bot.cluster.stages import ENVIRONMENT, PULL_FAILS, baseline_of, utc_now, workload
from tests.waiting import wait_until

KINDS = ("Deployment", "StatefulSet")
REPLICAS = "/spec/replicas"
RESTARTED = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"


def _landed(plan, now):
    return verb_called(plan.bound.verb).evidence_of(plan.bound, baseline_of(plan), now)


def _owner(workload):
    """Return the entry of whoever set the number of replicas last."""
    fields = workload["metadata"]["managedFields"]
    return next(one for one in fields if "f:replicas" in (one["fieldsV1"].get("f:spec") or {}))


# ----------------------------------------------------------------------------------------------------------- planning


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("before", "after", "risk", "blast"),
    [
        (1, 3, Risk.LOW, "2 pods more"),
        (2, 1, Risk.MEDIUM, "1 pod fewer"),
        (2, 0, Risk.HIGH, "2 pods fewer"),
        (0, 2, Risk.LOW, "2 pods more"),
    ],
)
def test_scaling_is_previewed(stage, kind, before, after, risk, blast):
    """The number before and after, to and from 0 as well, is all that changes, and nothing has changed yet (I8)."""
    target = stage.settled(workload(kind, replicas=before))
    was = stage.ground.get(kind, target.name)

    preview = stage.preview("scale", target, escalation="esc_tried", replicas=after)

    assert [step.changes for step in preview.steps] == [(Change(path=REPLICAS, before=before, after=after),)]
    in_order = ", one after another" if kind == "StatefulSet" and blast.startswith("2") else ""
    assert (preview.evidence.risk, preview.evidence.blast) == (risk, f"{blast}{in_order}")
    now = stage.ground.get(kind, target.name)
    assert (now["spec"], now["metadata"]["generation"]) == (was["spec"], preview.evidence.generation)
    assert "countersign:esc_tried" not in {one["manager"] for one in now["metadata"]["managedFields"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_is_previewed(stage, kind):
    """One annotation of the template, with the instant the escalation came in; our own mark is no change to review."""
    target = stage.settled(workload(kind, replicas=2))

    preview = stage.preview("restart", target)

    assert preview.steps[0].changes == (Change(path=RESTARTED, before=None, after="2026-11-20T12:00:00Z"),)
    in_order = ", one after another" if kind == "StatefulSet" else ""
    assert (preview.evidence.risk, preview.evidence.blast) == (Risk.MEDIUM, f"2 pods replaced{in_order}")


@pytest.mark.parametrize("kind", KINDS)
def test_what_changes_nothing_is_asked_of_nobody(stage, kind):
    """Scaling to the number that is there already is refused, not approved and done (T-TOC-14)."""
    target = stage.settled(workload(kind, replicas=2))

    with pytest.raises(Unplannable) as refusal:
        stage.plan("scale", target, replicas=2)

    assert refusal.value.code == "no_change"


@pytest.mark.parametrize("verb", ["scale", "restart"])
def test_a_missing_target_cannot_be_planned(stage, verb):
    """There is no such object: said so."""
    target = stage.target(workload())

    with pytest.raises(Unplannable) as refusal:
        stage.preview(verb, target, **({"replicas": 2} if verb == "scale" else {}))

    assert refusal.value.code == "target_not_found"


def test_a_gitops_controller_is_found(stage):
    """Whoever sets the number back is named before anybody approves."""
    target = stage.settled(workload(labels={"argocd.argoproj.io/instance": "shop"}))

    preview = stage.preview("scale", target, replicas=2)

    assert preview.evidence.findings[0] == "Argo CD manages this and may set the change back."


def test_a_paused_rollout_cannot_be_restarted(stage):
    """A restart would do nothing, silently, so nobody is asked for it; scaling goes on working."""
    target = stage.settled(workload())
    stage.ground.change(target.kind, target.name, {"spec": {"paused": True}})

    with pytest.raises(Unplannable) as refusal:
        stage.preview("restart", target)
    scaling = stage.preview("scale", target, replicas=2)

    assert refusal.value.code == "rollout_paused"
    assert scaling.steps[0].changes == (Change(path=REPLICAS, before=1, after=2),)


def test_planning_again_gives_the_same_fingerprint(stage):
    """Somebody else's unrelated edit moves the resource version and not what was approved (I9)."""
    target = stage.settled(workload())
    first = stage.plan("restart", target, escalation="esc_1")
    stage.ground.change(target.kind, target.name, {"metadata": {"labels": {"team": "shop"}}})

    second = stage.plan("restart", target, escalation="esc_1")

    assert first.evidence.resource_version != second.evidence.resource_version
    assert fingerprint_of(bytes_of(first.bound)) == fingerprint_of(bytes_of(second.bound))


def test_planning_again_after_a_change_of_substance_gives_another(stage):
    """Somebody scaled it meanwhile: the meaning of "to 5" is another (T-TOC-07, I9)."""
    target = stage.settled(workload())
    first = stage.plan("scale", target, escalation="esc_1", replicas=5)
    stage.ground.change(target.kind, target.name, {"spec": {"replicas": 3}})

    second = stage.plan("scale", target, escalation="esc_1", replicas=5)

    assert fingerprint_of(bytes_of(first.bound)) != fingerprint_of(bytes_of(second.bound))


# ------------------------------------------------------------------------------------------------------------- minting


@pytest.mark.parametrize("verb", ["scale", "restart"])
def test_t_exe_01_a_minted_token_is_the_executors_for_ten_minutes(stage, verb):
    """T-EXE-01: the right account, 600 s, an id to find it by, and a new one each time (I11)."""
    account = stage.ground.ours.executor("scaler", verb, stage.ground.namespace)

    first = stage.door.mint(environment=ENVIRONMENT, account=account)
    second = stage.door.mint(environment=ENVIRONMENT, account=account)

    assert first.account == account
    assert 590 < (first.expires_at - utc_now()).total_seconds() <= 600
    assert first.token_id
    assert first.token_id != second.token_id


# ------------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("before", "after"), [(1, 3), (2, 0), (0, 2)])
def test_scaling_is_carried_out(stage, kind, before, after):
    """The write lands once, as planned, and its rollout is followed to its end."""
    target = stage.settled(workload(kind, replicas=before))

    plan, reply = stage.carried_out("scale", target, replicas=after)

    assert (reply.came, reply.status, reply.as_planned) == (Came.APPLIED, 200, True)
    assert reply.audit_id
    sentence = f"All {after} pods ready." if after else "No pod is left, as asked."
    assert stage.follow(plan) == Progress(effect=Effect.VERIFIED, sentence=sentence)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scaling_is_known_by_its_mark(stage, kind):
    """A fresh read finds the field manager that carries the escalation's id, so a lost answer can be told (I2)."""
    target = stage.settled(workload(kind))

    plan, _ = stage.carried_out("scale", target, replicas=3)

    now = stage.observe(plan)
    assert _landed(plan, now) is Landed.APPLIED
    assert {"manager": f"countersign:{plan.bound.escalation}", "subresource": "scale"}.items() <= _owner(now).items()


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_is_carried_out(stage, kind):
    """Every pod is replaced; the object carries the escalation's id and is otherwise as it was."""
    target = stage.settled(workload(kind, replicas=2, env={"MODE": "live"}))
    before = stage.ground.get(kind, target.name)

    plan, reply = stage.carried_out("restart", target)

    assert (reply.came, reply.as_planned) == (Came.APPLIED, True)
    assert _landed(plan, stage.observe(plan)) is Landed.APPLIED
    assert stage.follow(plan) == Progress(effect=Effect.VERIFIED, sentence="All 2 pods ready.")
    after = stage.ground.get(kind, target.name)
    assert after["metadata"]["annotations"]["countersign.dev/request-id"] == plan.bound.escalation
    assert after["spec"]["template"]["spec"] == before["spec"]["template"]["spec"]


@pytest.mark.parametrize("verb", ["scale", "restart"])
def test_a_write_to_another_state_is_a_conflict(stage, verb):
    """The precondition holds: whatever moved the object in between, nothing is written and a read proves it."""
    target = stage.settled(workload())
    plan = stage.plan(verb, target, **({"replicas": 2} if verb == "scale" else {}))
    stage.ground.change(target.kind, target.name, {"metadata": {"labels": {"team": "shop"}}})

    reply = stage.send(plan)

    assert (reply.came, reply.status) == (Came.CONFLICT, 409)
    assert _landed(plan, stage.observe(plan)) is Landed.NOT_APPLIED


@pytest.mark.parametrize("verb", ["scale", "restart"])
def test_the_same_bytes_land_at_most_once(stage, verb):
    """Sent again, the bytes meet the resource version that they moved themselves (I2)."""
    target = stage.settled(workload())

    plan, first = stage.carried_out(verb, target, **({"replicas": 2} if verb == "scale" else {}))
    second = stage.send(plan)

    assert (first.came, second.came) == (Came.APPLIED, Came.CONFLICT)
    assert _landed(plan, stage.observe(plan)) is Landed.APPLIED


@pytest.mark.parametrize(("verb", "came", "code"), [("scale", Came.CONFLICT, 409), ("restart", Came.REJECTED, 422)])
def test_another_objects_uid_is_refused(stage, verb, came, code):
    """T-TOC-02: the same name is not the same object; the two ways of writing refuse it with different codes."""
    target = stage.settled(workload())
    plan = stage.plan(verb, target, **({"replicas": 2} if verb == "scale" else {}))

    reply = stage.send(plan, uid="00000000-0000-4000-8000-000000000000")

    assert (reply.came, reply.status) == (came, code)
    assert _landed(plan, stage.observe(plan)) is Landed.NOT_APPLIED


@pytest.mark.parametrize("verb", ["scale", "restart"])
def test_t_toc_02_a_recreated_target_is_not_written(stage, verb):
    """T-TOC-02: deleted and made again under its name: the old plan writes nothing to the new object."""
    manifest = workload()
    target = stage.settled(manifest)
    plan = stage.plan(verb, target, **({"replicas": 2} if verb == "scale" else {}))
    stage.ground.delete(target.kind, target.name)
    stage.settled(manifest)

    reply = stage.send(plan)

    assert reply.came in {Came.CONFLICT, Came.REJECTED}
    assert not reply.message.count(target.name)
    assert _landed(plan, stage.observe(plan)) is Landed.CANNOT_TELL
    assert stage.ground.get(target.kind, target.name)["spec"]["replicas"] == 1


@pytest.mark.parametrize("verb", ["scale", "restart"])
def test_a_target_that_is_gone_is_refused(stage, verb):
    """Nothing to write to, and nothing to observe."""
    target = stage.settled(workload())
    plan = stage.plan(verb, target, **({"replicas": 2} if verb == "scale" else {}))
    stage.ground.delete(target.kind, target.name)

    reply = stage.send(plan)

    assert (reply.came, reply.status) == (Came.REJECTED, 404)
    assert stage.observe(plan) is None


def test_a_field_set_by_somebody_else_afterwards_hides_the_mark(stage):
    """Absence proves nothing: another manager took the field and the generation moved, so a person has to look."""
    target = stage.settled(workload())
    plan, _ = stage.carried_out("scale", target, replicas=2)
    stage.ground.change(target.kind, target.name, {"spec": {"replicas": 4}})

    now = stage.observe(plan)

    assert _landed(plan, now) is Landed.CANNOT_TELL
    assert verb_called("scale").yardstick.progress(plan.bound, now).effect is Effect.UNDONE


def test_a_rollout_that_cannot_finish_is_said_to_have_failed(stage):
    """The image never comes: the write was applied, its effect failed, and the two are told apart."""
    manifest = workload(progressDeadlineSeconds=2)
    target = stage.settled(manifest)
    stage.ground.change(target.kind, target.name, {"spec": {"template": {"metadata": {"labels": PULL_FAILS}}}})

    plan, reply = stage.carried_out("restart", target)

    assert (reply.came, reply.as_planned) == (Came.APPLIED, True)
    assert stage.follow(plan) == Progress(
        effect=Effect.FAILED, sentence="The rollout made no progress within its own deadline."
    )


def test_what_is_observed_is_the_whole_object(stage):
    """Raw JSON, with everything that the server keeps: a model of ours would lose fields it does not know."""
    target = stage.settled(workload())
    plan = stage.plan("scale", target, replicas=2)

    now = stage.observe(plan)

    assert json.loads(json.dumps(now)) == stage.ground.get(target.kind, target.name)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_that_cannot_be_pulled_is_the_reason(stage, kind):
    """Only the pods say so: the observer lists the workload's own."""
    manifest = workload(kind, template_labels=PULL_FAILS)
    stage.ground.create(manifest)
    plan = stage.plan("scale", stage.target(manifest), replicas=2)

    wait_until(lambda: stage.why(plan) == "An image cannot be pulled.", what="the reason is seen", within_s=30)
