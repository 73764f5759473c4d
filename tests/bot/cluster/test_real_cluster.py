"""What only a real API server does: autoscalers come and go, admission changes requests, rights are taken away."""

import json
import re
from base64 import urlsafe_b64decode
from itertools import count

import pytest

from approvals.change.plan import Change, Redacted
from approvals.errors import Forbidden, Unplannable
from approvals.ports.cluster import Came
from tests.bot.cluster.stages import AGENT, ENVIRONMENT, PULL_FAILS, RealGround, Stage, autoscaler_for, workload
from tests.fixtures.installation import token_of
from tests.sandbox.devcluster.api import bearer
from tests.waiting import wait_until

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
MERGE = "application/merge-patch+json"


@pytest.fixture
def mutation(installation):
    """Install an admission policy that changes what one workload is written as; it goes when the test ends."""
    made = []

    def install(manifest, expression, *, resource="deployments", only_for_real=False):
        name = f"{installation.name}-mutate-{manifest['metadata']['name']}"
        conditions = [{"name": "one", "expression": f"request.name == '{manifest['metadata']['name']}'"}]
        if only_for_real:
            conditions.append({"name": "real", "expression": "!has(request.dryRun) || !request.dryRun"})
        rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": [resource]}
        spec = {
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": conditions,
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
        }
        admin = installation.admin
        admin.create(f"{ADMISSION}/mutatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
        binding = {"metadata": {"name": name}, "spec": {"policyName": name}}
        admin.create(f"{ADMISSION}/mutatingadmissionpolicybindings", binding)
        made.append(name)

    yield install
    for name in made:
        installation.admin.call("DELETE", f"{ADMISSION}/mutatingadmissionpolicybindings/{name}")
        installation.admin.call("DELETE", f"{ADMISSION}/mutatingadmissionpolicies/{name}")


# ----------------------------------------------------------------------------------------------------------- planning


def test_an_autoscaler_is_found(real_stage):
    """Whoever will undo the number is named before anybody approves; another workload's autoscaler is not."""
    manifest, other = workload(), workload()
    target = real_stage.settled(manifest)
    real_stage.ground.create(autoscaler_for(manifest, least=2, most=8))
    real_stage.ground.create(autoscaler_for(other, least=1, most=3))

    preview = real_stage.preview("scale", target, replicas=5)

    assert preview.evidence.findings == (
        f"The autoscaler {target.name} keeps this between 2 and 8 pods and may undo the number.",
        "The field that this changes was last set by python-urllib3, which may apply its own again.",
    )


def test_what_admission_adds_is_shown(real_stage, mutation):
    """A mutating webhook or policy changes the dry run as it would the write: people see its part as well (I8)."""
    manifest = workload()
    target = real_stage.settled(manifest)
    mutation(manifest, "[JSONPatch{op: 'add', path: '/metadata/labels/mutated', value: 'yes'}]")

    wait_until(lambda: len(real_stage.preview("restart", target).steps[0].changes) == 2, what="the policy takes hold")

    assert real_stage.preview("restart", target).steps[0].changes[0] == Change(
        path="/metadata/labels/mutated", before=None, after="yes"
    )


def test_a_hidden_value_is_shown_as_changed_and_never_itself(real_stage, mutation):
    """The value of an environment variable is replaced by a keyed hash, which still tells that it changes (I12)."""
    manifest = workload(env={"MODE": "old-secret"})
    target = real_stage.settled(manifest)
    path = "/spec/template/spec/containers/0/env/0/value"
    mutation(manifest, f"[JSONPatch{{op: 'replace', path: '{path}', value: 'new-secret'}}]")

    wait_until(lambda: len(real_stage.preview("restart", target).steps[0].changes) == 2, what="the policy takes hold")

    preview = real_stage.preview("restart", target)
    change = next(one for one in preview.steps[0].changes if one.path.endswith("/value"))
    assert change.path == "/spec/template/spec/containers/[web]/env/[MODE]/value"
    assert isinstance(change.before, Redacted)
    assert isinstance(change.after, Redacted)
    assert change.before != change.after
    assert "secret" not in repr(preview)


def test_an_answer_that_differs_from_the_plan_is_drift(real_stage, mutation):
    """Admission that spares dry runs changes what was approved behind everybody's back: the answer shows it (I8)."""
    manifest = workload()
    target = real_stage.settled(manifest)
    mutation(
        manifest,
        "[JSONPatch{op: 'replace', path: '/spec/replicas', value: 0}]",
        resource="deployments/scale",
        only_for_real=True,
    )
    numbers = count(2)

    def is_drift():
        _, reply = real_stage.carried_out("scale", target, replicas=next(numbers))
        assert reply.came is Came.APPLIED
        return not reply.as_planned

    wait_until(is_drift, what="the policy takes hold", every_s=0.1)
    assert real_stage.ground.get("Deployment", target.name)["spec"]["replicas"] == 0


def test_a_field_the_server_does_not_know_is_refused(real_stage):
    """Strict validation: a misspelt field is an error and not a change that silently is none."""
    target = real_stage.settled(workload())
    with pytest.raises(Unplannable) as refusal:
        real_stage.preview("scale", target, replicas=2**31)

    assert refusal.value.code == "refused_by_cluster"


def test_scaling_to_none_leaves_no_mark(real_stage):
    """Measured: the server keeps no owner of a 0 that came through the scale subresource, so no mark can be found.

    It leaves the field out of the Scale when it is 0, and with it its owner; a lost answer to such a write has to be
    told by the value.
    """
    target = real_stage.settled(workload(replicas=2))

    plan, reply = real_stage.carried_out("scale", target, replicas=0)

    assert reply.came is Came.APPLIED
    now = real_stage.observe(plan)
    assert now["spec"]["replicas"] == 0
    assert [one for one in now["metadata"]["managedFields"] if one.get("subresource") == "scale"] == []


# ------------------------------------------------------------------------------------------------- tokens and accounts


def test_t_exe_01_every_token_that_was_used_is_accounted_for(installation):
    """T-EXE-01: by the server's own log, the bot only minted and read, and each write came from an executor's token.

    The audit log holds the user agent with the escalation's id, the account, and the id of the very token that the
    attempt remembers: an independent job can hold the two against each other.
    """
    stage = Stage.on(RealGround(installation), version="audited")
    target = stage.settled(workload())
    account = installation.ours.executor(AGENT, "scale", target.namespace)
    credential = stage.door.mint(environment=ENVIRONMENT, account=account)

    plan, reply = stage.carried_out("scale", target, replicas=2)

    wait_until(lambda: str(reply.audit_id) in installation.cluster.audit_log.read_text(), what="the write is logged")
    ours = [event for event in _audited(installation) if event["userAgent"].startswith("countersign/audited")]
    by_bot = {
        (event["verb"], event["objectRef"]["resource"], event["objectRef"].get("subresource"))
        for event in ours
        if event["user"]["username"] == installation.bot.username
    }
    (write,) = [event for event in ours if event["auditID"] == reply.audit_id]
    assert by_bot <= {("create", "serviceaccounts", "token"), ("get", "namespaces", None)}
    assert write["user"]["username"] == account.username
    assert write["userAgent"] == f"countersign/audited req/{plan.bound.escalation}"
    used = write["user"]["extra"]["authentication.kubernetes.io/credential-id"][0].removeprefix("JTI=")
    assert used != credential.token_id
    assert {used, credential.token_id} <= {
        event.get("annotations", {}).get("authentication.kubernetes.io/issued-credential-id", "").removeprefix("JTI=")
        for event in ours
        if event["objectRef"].get("subresource") == "token"
    }


def _audited(installation):
    lines = installation.cluster.audit_log.read_text().splitlines()
    return [event for event in map(json.loads, lines) if "userAgent" in event and "objectRef" in event]


def test_t_exe_01_a_token_is_what_was_asked_for(installation):
    """T-EXE-01: by its own claims it is good for 600 s, at the server's own audience, and bound to no other object."""
    account = installation.ours.executor(AGENT, "scale", installation.namespace)
    credential = Stage.on(RealGround(installation)).door.mint(environment=ENVIRONMENT, account=account)
    payload = str(credential.identity.authorization).split(".")[1]

    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    assert claims["exp"] - claims["iat"] == 600
    assert claims["aud"] == ["https://kubernetes.default.svc"]
    assert claims["sub"] == account.username
    assert claims["jti"] == credential.token_id
    assert set(claims["kubernetes.io"]) == {"namespace", "serviceaccount"}


def test_t_exe_02_a_binding_that_is_gone_ends_a_token_at_once(broken_in):
    """T-EXE-02: taking the executor's role binding away stops a token that is already out."""
    stage = Stage.on(RealGround(broken_in))
    target = stage.settled(workload())
    plan = stage.plan("scale", target, replicas=2)
    account = broken_in.ours.executor(AGENT, "scale", target.namespace)
    binding = f"{RBAC}/namespaces/{target.namespace}/rolebindings/{account.name}"
    assert broken_in.admin.call("DELETE", binding)[0] == 200

    asked = {
        "spec": {
            "user": account.username,
            "resourceAttributes": {
                "namespace": target.namespace,
                "verb": "patch",
                "group": "apps",
                "resource": "deployments",
                "subresource": "scale",
                "name": target.name,
            },
        }
    }
    review = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    # The server needs a moment to notice, and a write that was let in before would be no fault of ours.
    wait_until(
        lambda: not broken_in.admin.call("POST", review, asked)[1]["status"]["allowed"], what="the right is gone"
    )

    reply = stage.send(plan)

    assert (reply.came, reply.status) == (Came.REJECTED, 403)
    assert stage.ground.get("Deployment", target.name)["spec"]["replicas"] == 1


def test_t_exe_03_the_bot_itself_can_do_nothing(installation):
    """T-EXE-03: its own account can neither read nor change a workload, nor mint a token of an account not named."""
    ground = RealGround(installation)
    target = Stage.on(ground).settled(workload())
    place = f"/api/v1/namespaces/{installation.namespace}"
    attempts = {
        "read": ("GET", ground.path("Deployment", target.name), None),
        "scale": ("PATCH", f"{ground.path('Deployment', target.name)}/scale", {"spec": {"replicas": 2}}),
        "try": ("PATCH", f"{ground.path('Deployment', target.name)}?dryRun=All", {}),
        "read secrets": ("GET", f"{place}/secrets", None),
        "list accounts": ("GET", f"{place}/serviceaccounts", None),
        "mint for another": ("POST", f"{place}/serviceaccounts/default/token", {"spec": {"expirationSeconds": 600}}),
        "mint for itself": (
            "POST",
            f"/api/v1/namespaces/{installation.bot.namespace}/serviceaccounts/{installation.bot.name}/token",
            {"spec": {"expirationSeconds": 600}},
        ),
        "impersonate": ("GET", "/api/v1/namespaces/default", None),
        "grant": ("POST", f"{RBAC}/namespaces/{installation.namespace}/rolebindings", {"metadata": {"name": "x"}}),
    }

    with bearer(installation.cluster, token_of(installation.admin, installation.bot, seconds=600)) as api:
        codes = {
            what: api.call(method, path, body, content_type=MERGE if method == "PATCH" else "application/json")[0]
            for what, (method, path, body) in attempts.items()
        }

    assert codes == dict.fromkeys(attempts, 403)


def test_an_account_that_is_missing_cannot_be_minted_for(installation):
    """A charter that names a namespace nobody installed accounts in: refused before anything starts."""
    stage = Stage.on(RealGround(installation))

    with pytest.raises(
        Forbidden, match=re.escape(f"{installation.namespace}/{installation.ours.prefix}exec-nobody-scale")
    ):
        stage.door.mint(
            environment=ENVIRONMENT, account=installation.ours.executor("nobody", "scale", installation.namespace)
        )
    with pytest.raises(Forbidden):
        stage.door.mint(environment=ENVIRONMENT, account=installation.ours.planner("nobody", "default"))


# --------------------------------------------------------------------------------------------------- what stands still


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_pod_that_no_node_takes_is_the_reason(real_stage, kind):
    """The scheduler's word stands on the pod, and the observer lists it."""
    manifest = workload(kind)
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"requests": {"cpu": "900"}}
    real_stage.ground.create(manifest)
    plan = real_stage.plan("scale", real_stage.target(manifest), replicas=2)

    told = "No node has enough cpu left for the pods."
    wait_until(lambda: real_stage.why(plan) == told, what="the reason is seen", within_s=30)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_quota_that_leaves_no_room_is_the_reason(real_stage, kind):
    """A Deployment says so itself; of a StatefulSet only the warnings tell."""
    path = f"/api/v1/namespaces/{real_stage.ground.namespace}/resourcequotas"
    admin, manifest = real_stage.ground.admin, workload(kind)
    admin.create(path, {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}})
    try:
        wait_until(lambda: "hard" in admin.get(f"{path}/few").get("status", {}), what="the quota is in force")
        real_stage.ground.create(manifest)
        plan = real_stage.plan("scale", real_stage.target(manifest), replicas=2)
        told = "The namespace's quota few leaves no room for more pods."
        wait_until(lambda: real_stage.why(plan) == told, what="the reason is seen", within_s=30)
    finally:
        admin.call("DELETE", f"{path}/few")


def test_pods_are_found_by_every_form_of_selector(real_stage):
    """A workload may select by expressions, and the server takes our spelling of each."""
    manifest = workload(template_labels=PULL_FAILS)
    name = manifest["metadata"]["name"]
    manifest["spec"]["selector"]["matchExpressions"] = [
        {"key": "app", "operator": "In", "values": [name, "other"]},
        {"key": "app", "operator": "NotIn", "values": ["none", "other"]},
        {"key": "app", "operator": "Exists"},
        {"key": "legacy", "operator": "DoesNotExist"},
    ]
    real_stage.ground.create(manifest)
    plan = real_stage.plan("scale", real_stage.target(manifest), replicas=2)

    wait_until(lambda: real_stage.why(plan) == "An image cannot be pulled.", what="the reason is seen", within_s=30)
