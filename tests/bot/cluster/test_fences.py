"""Each admission policy, proven on the real API server by attempts that are refused, and by those that have to pass."""

import json

import pytest

from approvals.accounts import executor, observer, planner
from approvals.verbs.restart import REQUEST_ID, RESTARTED_AT
from bot.cluster.answers import Answer
from tests.bot.cluster.stages import AGENT, RealGround, Stage, workload
from tests.devcluster.api import bearer
from tests.fixtures.installation import token_of

MERGE = "application/merge-patch+json"


@pytest.fixture
def ground(installation):
    """The real cluster."""
    return RealGround(installation)


@pytest.fixture
def as_account(installation):
    """Call the API as one of the accounts; what comes back is the status and, of a fence's refusal, its policy."""

    def call(account, method, path, body=None):
        token = token_of(installation.admin, account, seconds=600)
        with bearer(installation.cluster, token) as api:
            content = MERGE if method == "PATCH" else "application/json"
            code, answer = api.call(method, path, body, content_type=content)
        fence = Answer(status=code, body=answer).fenced_by
        return code, fence.removeprefix(f"{installation.name}-") if fence else None

    return call


FENCED = {"planner": (403, "planners"), "executor": (403, "executors"), "bot": (403, "tokens")}
RIGHTLESS = (403, None)


# ------------------------------------------------------------------------------------------------------------ planners


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize(
    ("subresource", "body"),
    [
        ("", {"metadata": {"labels": {"x": "y"}}}),
        ("", {}),
        ("/scale", {"spec": {"replicas": 3}}),
    ],
    ids=["an edit", "an empty edit", "a number"],
)
def test_a_planner_may_try_and_never_write(ground, as_account, installation, kind, subresource, body):
    """The code that runs before anybody approved cannot change a cluster, even if it forgets the flag."""
    target = Stage.on(ground).settled(workload(kind))
    path = ground.path(kind, target.name) + subresource
    account = planner(AGENT, installation.namespace)
    before = ground.get(kind, target.name)

    tried = as_account(account, "PATCH", f"{path}?dryRun=All", body)
    written = as_account(account, "PATCH", path, body)

    assert (tried, written) == ((200, None), FENCED["planner"])
    assert ground.get(kind, target.name) == before


# ----------------------------------------------------------------------------------------------------------- executors

ATTACKS = {
    "another account": {"spec": {"template": {"spec": {"serviceAccountName": "default"}}}},
    "a Secret as volume": {
        "spec": {"template": {"spec": {"volumes": [{"name": "s", "secret": {"secretName": "db"}}]}}}
    },
    "the host's network": {"spec": {"template": {"spec": {"hostNetwork": True}}}},
    "a container more": {
        "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "a"}, {"name": "b", "image": "b"}]}}}
    },
    "a command": {
        "spec": {
            "template": {
                "spec": {"containers": [{"name": "web", "image": "registry.example/web:1", "command": ["sh"]}]}
            }
        }
    },
    "an init container": {"spec": {"template": {"spec": {"initContainers": [{"name": "i", "image": "i"}]}}}},
    "an image": {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "evil"}]}}}},
    "the number": {"spec": {"replicas": 9}},
    "minReadySeconds": {"spec": {"minReadySeconds": 9}},
    "revisionHistoryLimit": {"spec": {"revisionHistoryLimit": 1}},
    "a label": {"metadata": {"labels": {"x": "y"}}},
    "a label taken away": {"metadata": {"labels": None}},
    "a finalizer": {"metadata": {"finalizers": ["example.com/never"]}},
    "an owner": {
        "metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x-1"}]}
    },
    "another annotation": {"metadata": {"annotations": {"x": "y"}}},
    "another's annotation taken away": {"metadata": {"annotations": {"kept": None}}},
    "another annotation of the template": {"spec": {"template": {"metadata": {"annotations": {"x": "y"}}}}},
    "the template's annotation taken away": {"spec": {"template": {"metadata": {"annotations": {"kept": None}}}}},
    "a label of the template": {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}},
}
OWN_ATTACKS = {
    "Deployment": {
        "pausing": {"spec": {"paused": True}},
        "strategy": {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
        "progressDeadlineSeconds": {"spec": {"progressDeadlineSeconds": 9}},
    },
    "StatefulSet": {
        "updateStrategy": {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}},
        "ordinals": {"spec": {"ordinals": {"start": 7}}},
        "what becomes of volumes": {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}},
    },
}


def _restart(**more):
    annotations = {RESTARTED_AT: "2026-11-20T12:00:00Z"}
    return {
        "metadata": {"annotations": {REQUEST_ID: "esc_1"}},
        "spec": {"template": {"metadata": {"annotations": annotations}}},
    }


@pytest.fixture(scope="session")
def victims(installation):
    """One workload of each kind, with annotations of somebody else's, that attacks are tried on in dry run."""
    ground = RealGround(installation)
    targets = {}
    for kind in ("Deployment", "StatefulSet"):
        manifest = workload(kind)
        manifest["metadata"]["annotations"] = {"kept": "yes"}
        manifest["spec"]["template"]["metadata"]["annotations"] = {"kept": "yes"}
        targets[kind] = Stage.on(ground).settled(manifest)
    return targets


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param(kind, body, id=f"{kind} {name}")
        for kind in ("Deployment", "StatefulSet")
        for name, body in {**ATTACKS, **OWN_ATTACKS[kind]}.items()
    ],
)
def test_t_exe_05_the_executor_of_restart_changes_nothing_else(ground, as_account, installation, victims, kind, body):
    """T-EXE-05: a restart that carries anything more is refused by the cluster itself, whatever our own code does."""
    account = executor(AGENT, "restart", installation.namespace)
    path = f"{ground.path(kind, victims[kind].name)}?dryRun=All"

    assert as_account(account, "PATCH", path, body) == FENCED["executor"]
    assert as_account(account, "PATCH", path, _merged(_restart(), body)) == FENCED["executor"]


def _merged(one, other):
    """Return two patches as one."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return {**one, **{key: _merged(one.get(key), value) for key, value in other.items()}}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_executor_of_restart_can_restart(ground, as_account, installation, kind):
    """What it is for passes: with no annotations there before, and again with them there."""
    target = Stage.on(ground).settled(workload(kind))
    account = executor(AGENT, "restart", installation.namespace)
    path = ground.path(kind, target.name)
    again = json.loads(json.dumps(_restart()).replace("esc_1", "esc_2").replace("12:00:00", "13:00:00"))

    assert as_account(account, "PATCH", path, _restart()) == (200, None)
    assert as_account(account, "PATCH", path, again) == (200, None)
    assert as_account(account, "PATCH", f"{path}/scale", {"spec": {"replicas": 2}}) == RIGHTLESS


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_executor_of_scale_sets_the_number_and_nothing_else(ground, as_account, installation, kind):
    """To 0 and back up it may; beyond the verb's own bound, and on the object itself, it may not."""
    target = Stage.on(ground).settled(workload(kind))
    account = executor(AGENT, "scale", installation.namespace)
    path = ground.path(kind, target.name)

    assert as_account(account, "PATCH", f"{path}/scale", {"spec": {"replicas": 0}}) == (200, None)
    assert as_account(account, "PATCH", f"{path}/scale?dryRun=All", {"spec": {"replicas": 1000}}) == (200, None)
    assert as_account(account, "PATCH", f"{path}/scale?dryRun=All", {"spec": {"replicas": 1001}}) == FENCED["executor"]
    assert as_account(account, "PATCH", path, {"spec": {"replicas": 2}}) == RIGHTLESS
    assert as_account(account, "GET", path) == RIGHTLESS


@pytest.mark.parametrize("verb", ["scale", "restart"])
def test_an_executor_with_too_many_rights_is_still_fenced(broken_in, verb):
    """Somebody binds ``edit`` to an executor: the policy lets it do what its verb does, and nothing more (I11)."""
    ground = RealGround(broken_in)
    target = Stage.on(ground).settled(workload())
    account = executor(AGENT, verb, broken_in.namespace)
    _bind_edit(broken_in, account)
    place = f"/api/v1/namespaces/{broken_in.namespace}"
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "c"}]}}
    attempts = [
        ("POST", f"{place}/pods", pod),
        ("POST", f"{place}/configmaps", {"metadata": {"name": "c"}}),
        ("DELETE", ground.path("Deployment", target.name), None),
        ("POST", f"{place}/serviceaccounts/default/token", {"spec": {"expirationSeconds": 600}}),
        ("PATCH", f"{ground.path('Deployment', target.name)}", {"metadata": {"labels": {"x": "y"}}}),
    ]
    attempts += [("PATCH", f"{ground.path('Deployment', target.name)}/scale", {"spec": {"replicas": 2}})] * (
        verb != "scale"
    )

    with bearer(broken_in.cluster, token_of(broken_in.admin, account, seconds=600)) as api:
        answers = [
            api.call(method, path, body, content_type=MERGE if method == "PATCH" else "application/json")
            for method, path, body in attempts
        ]

    assert [(code, Answer(status=code, body=body).fenced_by) for code, body in answers] == [
        (403, f"{broken_in.name}-executors")
    ] * len(attempts)


def _bind_edit(installation, account):
    binding = {
        "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{installation.namespace}/rolebindings"
    installation.admin.create(path, binding)


def test_every_field_of_the_two_specifications_is_fenced(ground, installation):
    """The fences list what may not change, so a field that a new release brings has to be added: this test says which."""
    schema = ground.admin.get("/openapi/v3/apis/apps/v1")["components"]["schemas"]
    policies = ground.admin.get("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")["items"]
    policy = next(one for one in policies if one["metadata"]["name"] == f"{installation.name}-executors")
    rules = {
        (rule["message"].split(" may not")[0], rule["expression"].split(" ")[0])
        for rule in policy["spec"]["validations"]
    }

    for kind, plural in (("Deployment", "deployments"), ("StatefulSet", "statefulsets")):
        fields = set(schema[f"io.k8s.api.apps.v1.{kind}Spec"]["properties"]) - {"template"}
        fenced = {words.removeprefix("restart: spec.") for words, guard in rules if guard.endswith(f"restart_{plural}")}
        assert fields - fenced == set()
    assert set(schema["io.k8s.api.core.v1.PodTemplateSpec"]["properties"]) == {"metadata", "spec"}


# -------------------------------------------------------------------------------------------------- observers and tokens


def test_an_observer_reads_workloads_and_nothing_else(ground, as_account, installation):
    """It follows rollouts; it can neither change nor read anything beside."""
    target = Stage.on(ground).settled(workload())
    account = observer(AGENT, installation.namespace)
    path = ground.path("Deployment", target.name)

    assert as_account(account, "GET", path) == (200, None)
    assert as_account(account, "PATCH", f"{path}?dryRun=All", {}) == RIGHTLESS
    assert as_account(account, "GET", f"/api/v1/namespaces/{installation.namespace}/secrets") == RIGHTLESS
    assert as_account(account, "GET", f"/api/v1/namespaces/{installation.namespace}/pods") == RIGHTLESS


@pytest.mark.parametrize(
    ("seconds", "answer"), [(600, (201, None)), (601, FENCED["bot"]), (3600, FENCED["bot"]), (None, FENCED["bot"])]
)
def test_the_bot_mints_ten_minutes_and_not_more(as_account, installation, seconds, answer):
    """An API server gives a year to whoever may mint: the policy does not, and an omitted life is an hour."""
    account = executor(AGENT, "scale", installation.namespace)
    path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"
    body = {"spec": {} if seconds is None else {"expirationSeconds": seconds}}

    assert as_account(installation.bot, "POST", path, body) == answer


def test_the_bot_mints_for_named_accounts_even_where_a_role_lets_it_more(broken_in):
    """Somebody widens the mint role to every account: the policy still knows the names (I11)."""
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{broken_in.namespace}/roles/{broken_in.name}-mint"
    rule = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}
    broken_in.admin.merge(role, {"rules": [rule]})
    path = f"/api/v1/namespaces/{broken_in.namespace}/serviceaccounts/default/token"

    with bearer(broken_in.cluster, token_of(broken_in.admin, broken_in.bot, seconds=600)) as api:
        code, body = api.call("POST", path, {"spec": {"expirationSeconds": 600}})

    assert (code, Answer(status=code, body=body).fenced_by) == (403, f"{broken_in.name}-tokens")


def test_somebody_elses_account_of_such_a_name_is_left_alone(broken_in):
    """A service account called ``plan-b`` in a namespace without agents writes as before."""
    elsewhere = f"{broken_in.name}-else"
    admin = broken_in.admin
    admin.create("/api/v1/namespaces", {"metadata": {"name": elsewhere}})
    account = planner("b", elsewhere)
    admin.create(f"/api/v1/namespaces/{elsewhere}/serviceaccounts", {"metadata": {"name": account.name}})
    binding = {
        "metadata": {"name": "edit"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": elsewhere}],
    }
    admin.create(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{elsewhere}/rolebindings", binding)

    with bearer(broken_in.cluster, token_of(admin, account, seconds=600)) as api:
        code, _ = api.call("POST", f"/api/v1/namespaces/{elsewhere}/configmaps", {"metadata": {"name": "c"}})

    assert code == 201
