"""Each admission policy, proven on the real API server by attempts that are refused, and by those that have to pass."""

import json

import pytest

from approvals.identity.accounts import Installation, ServiceAccount
from approvals.verbs.restart import REQUEST_ID, RESTARTED_AT
from bot.cluster.client.answers import HttpReply
from tests.bot.cluster.stages import AGENT, RealGround, Stage, workload
from tests.fixtures.installation import token_of
from tests.sandbox.devcluster.api import bearer, impersonating
from tests.waiting import wait_until

MERGE = "application/merge-patch+json"
INSTANT = "2026-11-20T12:00:00Z"


@pytest.fixture
def ground(installation):
    """The real cluster."""
    return RealGround(installation)


@pytest.fixture
def as_account(installation):
    """Call the API as one of the accounts; what comes back is the status and, of a fence's refusal, its policy."""

    def call(account, method, path, body=None):
        with bearer(installation.cluster, installation.token(account)) as api:
            content = MERGE if method == "PATCH" else "application/json"
            code, answer = api.call(method, path, body, content_type=content)
        fence = HttpReply(status=code, body=answer).fenced_by
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
    account = installation.ours.planner(AGENT, installation.namespace)
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
    "the template's name": {"spec": {"template": {"metadata": {"name": "x"}}}},
    "the template's generateName": {"spec": {"template": {"metadata": {"generateName": "x"}}}},
    "the template's generation": {"spec": {"template": {"metadata": {"generation": 7}}}},
    "the template's finalizer": {"spec": {"template": {"metadata": {"finalizers": ["example.com/never"]}}}},
    "a long instant": {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: "9" * 200_000}}}}},
    "an instant and more": {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: f"{INSTANT}\nx"}}}}},
    "no instant": {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: ""}}}}},
    "no such instant": {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: "2026-13-32T24:00:60Z"}}}}},
    "a long request id": {"metadata": {"annotations": {REQUEST_ID: "x" * 65}}},
    "no request id": {"metadata": {"annotations": {REQUEST_ID: None}}},
    "nobody owns anything": {"metadata": {"managedFields": [{}]}},
    "an empty list of owners": {"metadata": {"managedFields": []}},
    "another list of owners": {
        "metadata": {
            "managedFields": [
                {
                    "manager": "countersign:esc_X",
                    "operation": "Update",
                    "apiVersion": "apps/v1",
                    "subresource": "scale",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:replicas": {}}},
                }
            ]
        }
    },
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


def _restart():
    annotations = {RESTARTED_AT: INSTANT}
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
    account = installation.ours.executor(AGENT, "restart", installation.namespace)
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
    account = installation.ours.executor(AGENT, "restart", installation.namespace)
    path = ground.path(kind, target.name)
    again = json.loads(json.dumps(_restart()).replace("esc_1", "esc_2").replace("12:00:00", "13:00:00"))

    assert as_account(account, "PATCH", path, _restart()) == (200, None)
    assert as_account(account, "PATCH", path, again) == (200, None)
    assert as_account(account, "PATCH", f"{path}/scale", {"spec": {"replicas": 2}}) == RIGHTLESS


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_executor_of_scale_sets_the_number_and_nothing_else(ground, as_account, installation, kind):
    """To 0 and back up it may; beyond the verb's own bound, and on the object itself, it may not."""
    target = Stage.on(ground).settled(workload(kind))
    account = installation.ours.executor(AGENT, "scale", installation.namespace)
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
    account = broken_in.ours.executor(AGENT, verb, broken_in.namespace)
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

    with bearer(broken_in.cluster, broken_in.token(account)) as api:
        answers = [
            api.call(method, path, body, content_type=MERGE if method == "PATCH" else "application/json")
            for method, path, body in attempts
        ]

    assert [(code, HttpReply(status=code, body=body).fenced_by) for code, body in answers] == [
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


def test_a_mark_is_neither_wiped_nor_forged_by_a_restart(ground, as_account, installation):
    """Who wrote the number of pods last stays recorded through a restart that brings its own list of owners along."""
    target = Stage.on(ground).settled(workload())
    path = ground.path("Deployment", target.name)
    scaled = f"{path}/scale?fieldManager=countersign:esc_scaled"
    scale, restart = (installation.ours.executor(AGENT, verb, installation.namespace) for verb in ("scale", "restart"))
    assert as_account(scale, "PATCH", scaled, {"spec": {"replicas": 2}}) == (200, None)
    owners = ground.get("Deployment", target.name)["metadata"]["managedFields"]
    mark = next(one for one in owners if one["manager"] == "countersign:esc_scaled")
    lists = {
        "without it": [one for one in owners if one != mark],
        "for another field": [
            one if one != mark else {**one, "fieldsV1": {"f:spec": {"f:paused": {}}}} for one in owners
        ],
        "by another": [*owners, {**mark, "manager": "countersign:esc_forged"}],
        "two more": [*owners, *({**owners[0], "manager": name, "subresource": ""} for name in ("one", "two"))],
    }

    answers = {
        what: as_account(
            restart, "PATCH", f"{path}?dryRun=All", _merged(_restart(), {"metadata": {"managedFields": wiped}})
        )
        for what, wiped in lists.items()
    }

    assert answers == dict.fromkeys(lists, FENCED["executor"])
    assert as_account(restart, "PATCH", path, _restart()) == (200, None)
    assert mark in ground.get("Deployment", target.name)["metadata"]["managedFields"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize("name", ["kubectl-edit", "somebody", "countersign:esc_1"])
def test_what_others_own_is_not_rewritten_by_a_restart(ground, as_account, installation, kind, name):
    """Under whatever name the bearer writes, that of the very owner even: nobody's entry loses or gains another field."""
    target = Stage.on(ground).settled(workload(kind))
    path = ground.path(kind, target.name)
    edit = {
        "metadata": {"annotations": {"kept": "yes"}},
        "spec": {"template": {"spec": {"nodeName": "", "hostname": "h"}}},
    }
    code, _ = ground.admin.call("PATCH", f"{path}?fieldManager=kubectl-edit", edit, content_type=MERGE)
    assert code == 200
    restart = installation.ours.executor(AGENT, "restart", installation.namespace)
    assert as_account(restart, "PATCH", f"{path}?fieldManager=countersign:esc_0", _restart()) == (200, None)
    owners = ground.get(kind, target.name)["metadata"]["managedFields"]
    again = json.loads(json.dumps(_restart()).replace("esc_1", "esc_2").replace("12:00:00", "13:00:00"))
    forged = {
        f"{one['manager']} {what}": [one_of if one_of is not one else {**one, "fieldsV1": owned} for one_of in owners]
        for one in owners
        for what, owned in {
            "owns nothing": {},
            "owns no annotation": {**one["fieldsV1"], "f:metadata": {}},
            "owns no template": {**one["fieldsV1"], "f:spec": {}},
            "owns an empty template": {**one["fieldsV1"], "f:spec": {"f:template": {}}},
            "owns the pace too": _merged(one["fieldsV1"], {"f:spec": {"f:minReadySeconds": {}}}),
        }.items()
        if what.startswith("owns the") or not one["manager"].startswith("countersign")
        if owned != one["fieldsV1"]
    }

    answers = {
        what: as_account(
            restart,
            "PATCH",
            f"{path}?dryRun=All&fieldManager={name}",
            _merged(again, {"metadata": {"managedFields": owned}}),
        )
        for what, owned in forged.items()
    }

    assert answers == dict.fromkeys(forged, FENCED["executor"])
    assert as_account(restart, "PATCH", f"{path}?fieldManager={name}", again) == (200, None)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_restart_passes_after_a_scale_that_changed_nothing(ground, as_account, installation, kind):
    """The server leaves the number's owner with two entries and drops the lesser at the next write; the other never goes."""
    target = Stage.on(ground).settled(workload(kind, replicas=2))
    path = ground.path(kind, target.name)
    code, _ = ground.admin.call("PATCH", f"{path}/scale", {"spec": {"replicas": 2}}, content_type=MERGE)
    assert code == 200
    owners = ground.get(kind, target.name)["metadata"]["managedFields"]
    lesser = next(one for one in owners if one["fieldsV1"] == {"f:spec": {"f:replicas": {}}})
    twins = [one for one in owners if _writer(one) == _writer(lesser)]
    assert len(twins) == 2
    restart = installation.ours.executor(AGENT, "restart", installation.namespace)
    robbed = [one for one in owners if one == lesser or one not in twins]
    both = [one for one in owners if one not in twins]

    answers = {
        len(owned): as_account(
            restart, "PATCH", f"{path}?dryRun=All", _merged(_restart(), {"metadata": {"managedFields": owned}})
        )
        for owned in (robbed, both)
    }

    assert answers == dict.fromkeys((len(robbed), len(both)), FENCED["executor"])
    assert as_account(restart, "PATCH", path, _restart()) == (200, None)


def _writer(entry):
    return tuple(entry.get(field) for field in ("manager", "operation", "subresource", "apiVersion"))


def test_an_owner_of_the_annotations_loses_them_to_a_restart_and_nothing_else(ground, as_account, installation):
    """Somebody restarted by hand, or applies the annotation: the write takes it over, as the server does, and passes."""
    target = Stage.on(ground).settled(workload())
    path = ground.path("Deployment", target.name)
    by_hand = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: "2026-11-19T12:00:00Z"}}}}}
    code, _ = ground.admin.call("PATCH", f"{path}?fieldManager=kubectl-rollout", by_hand, content_type=MERGE)
    applied = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": target.name}, **by_hand}
    query = "?fieldManager=gitops&force=true"
    both, _ = ground.admin.call("PATCH", path + query, applied, content_type="application/apply-patch+yaml")
    restart = installation.ours.executor(AGENT, "restart", installation.namespace)

    assert (code, both) == (200, 200)
    assert as_account(restart, "PATCH", f"{path}?fieldManager=countersign:esc_1", _restart()) == (200, None)


def test_a_workload_that_many_have_written_can_be_restarted(ground, as_account, installation):
    """Beyond ten writers the server merges the oldest: their entries go by its own hand, and the restart passes."""
    manifest = workload()
    target = Stage.on(ground).settled(manifest)
    path = ground.path("Deployment", target.name)
    for number in range(12):
        body = {"metadata": {"annotations": {f"a{number}": "x"}}}
        code, _ = ground.admin.call("PATCH", f"{path}?fieldManager=somebody-{number}", body, content_type=MERGE)
        assert code == 200
    account = installation.ours.executor(AGENT, "restart", installation.namespace)
    again = json.loads(json.dumps(_restart()).replace("esc_1", "esc_2").replace("12:00:00", "13:00:00"))

    assert as_account(account, "PATCH", f"{path}?fieldManager=countersign:esc_1", _restart()) == (200, None)
    assert as_account(account, "PATCH", f"{path}?fieldManager=countersign:esc_2", again) == (200, None)


def test_a_large_workload_can_be_restarted(ground, as_account, installation):
    """The server bounds what comparing whole objects may cost: 300 kB fit, also where their one owner loses a field."""
    manifest = workload(replicas=0, env={f"V{number}": "x" * 500 for number in range(500)})
    manifest["metadata"]["annotations"] = {"big": "x" * 50_000}
    manifest["spec"]["template"]["metadata"]["annotations"] = {RESTARTED_AT: "2026-11-19T12:00:00Z"}
    ground.create(manifest)
    account = installation.ours.executor(AGENT, "restart", installation.namespace)

    path = ground.path("Deployment", manifest["metadata"]["name"])
    assert as_account(account, "PATCH", f"{path}?fieldManager=countersign:esc_1", _restart()) == (200, None)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_an_executor_that_is_impersonated_writes_nothing(ground, installation, kind):
    """Somebody who may impersonate accounts has no token of theirs, so a write in an executor's name is refused."""
    target = Stage.on(ground).settled(workload(kind))
    account = installation.ours.executor(AGENT, "scale", installation.namespace)
    body = {"spec": {"replicas": 2}}

    with impersonating(installation.cluster, account.username) as api:
        code, answer = api.call("PATCH", f"{ground.path(kind, target.name)}/scale", body, content_type=MERGE)

    assert (code, HttpReply(status=code, body=answer).fenced_by) == (403, f"{installation.name}-executors")


# -------------------------------------------------------------------------------------------------- observers and tokens


def test_an_observer_reads_workloads_and_nothing_else(ground, as_account, installation):
    """It follows rollouts and lists what stands around them in its namespace; it can neither change nor read more."""
    target = Stage.on(ground).settled(workload())
    account = installation.ours.observer(AGENT, installation.namespace)
    path = ground.path("Deployment", target.name)

    assert as_account(account, "GET", path) == (200, None)
    assert as_account(account, "PATCH", f"{path}?dryRun=All", {}) == RIGHTLESS
    assert as_account(account, "GET", f"/api/v1/namespaces/{installation.namespace}/secrets") == RIGHTLESS
    assert as_account(account, "GET", f"/api/v1/namespaces/{installation.namespace}/pods?limit=1") == (200, None)
    assert as_account(account, "GET", f"/api/v1/namespaces/{installation.namespace}/events?limit=1") == (200, None)
    assert as_account(account, "GET", f"/api/v1/namespaces/{installation.namespace}/pods/one/log") == RIGHTLESS
    assert as_account(account, "GET", "/api/v1/pods?limit=1") == RIGHTLESS


@pytest.mark.parametrize(
    ("seconds", "answer"), [(600, (201, None)), (601, FENCED["bot"]), (3600, FENCED["bot"]), (None, FENCED["bot"])]
)
def test_the_bot_mints_ten_minutes_and_not_more(as_account, installation, seconds, answer):
    """An API server gives a year to whoever may mint: the policy does not, and an omitted life is an hour."""
    account = installation.ours.executor(AGENT, "scale", installation.namespace)
    path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"
    body = {"spec": {} if seconds is None else {"expirationSeconds": seconds}}

    assert as_account(installation.bot, "POST", path, body) == answer


@pytest.mark.parametrize(
    "more",
    [
        {"audiences": ["vault"]},
        {"audiences": ["https://kubernetes.default.svc", "vault"]},
        {"audiences": ["k3s"]},
        {"audiences": ["https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"]},
        {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "bound"}},
    ],
    ids=["for another", "for another as well", "for a part", "for several", "bound"],
)
def test_the_bot_mints_for_the_api_server_alone(as_account, installation, more):
    """A token that opens another door than the API server's is of no use to us, and none is made."""
    account = installation.ours.executor(AGENT, "scale", installation.namespace)
    place = f"/api/v1/namespaces/{account.namespace}"
    installation.admin.call("POST", f"{place}/secrets", {"metadata": {"name": "bound"}})
    path = f"{place}/serviceaccounts/{account.name}/token"

    assert as_account(installation.bot, "POST", path, {"spec": {"expirationSeconds": 600, **more}}) == FENCED["bot"]


def test_a_pod_that_ran_as_an_executor_before_the_fences_writes_nothing(broken_in):
    """Its token stays fresh for as long as it runs; it says which pod holds it, and no token that the bot mints does."""
    ground = RealGround(broken_in)
    target = Stage.on(ground).settled(workload())
    account = broken_in.ours.executor(AGENT, "scale", broken_in.namespace)
    admission = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    place = f"/api/v1/namespaces/{broken_in.namespace}"
    minting = f"{place}/serviceaccounts/{account.name}/token"
    bindings = [broken_in.admin.get(f"{admission}/{broken_in.name}-{fence}") for fence in ("users", "minters")]
    for one in bindings:
        broken_in.admin.call("DELETE", f"{admission}/{one['metadata']['name']}")
    spec = {"serviceAccountName": account.name, "containers": CONTAINERS}
    pod = {"metadata": {"name": "before"}, "spec": spec}
    wait_until(lambda: broken_in.admin.call("POST", f"{place}/pods", pod)[0] in {201, 409}, what="the pod is made")
    uid = broken_in.admin.get(f"{place}/pods/before")["metadata"]["uid"]
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "before", "uid": uid}
    request = {"spec": {"expirationSeconds": 3600, "boundObjectRef": bound}}
    wait_until(lambda: broken_in.admin.call("POST", minting, request)[0] == 201, what="its token is made")
    token = broken_in.admin.create(minting, request)["status"]["token"]

    with bearer(broken_in.cluster, token) as api:
        path = f"{ground.path('Deployment', target.name)}/scale"
        code, body = api.call("PATCH", path, {"spec": {"replicas": 2}}, content_type=MERGE)

    assert (code, HttpReply(status=code, body=body).fenced_by) == (403, f"{broken_in.name}-executors")


def test_the_bot_mints_with_a_token_of_its_own(installation):
    """Whoever impersonates the bot, an administrator even, mints nothing."""
    account = installation.ours.executor(AGENT, "scale", installation.namespace)
    path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"

    with impersonating(installation.cluster, installation.bot.username) as api:
        code, answer = api.call("POST", path, {"spec": {"expirationSeconds": 600}})

    assert (code, HttpReply(status=code, body=answer).fenced_by) == (403, f"{installation.name}-tokens")


def test_the_bot_mints_for_named_accounts_even_where_a_role_lets_it_more(broken_in):
    """Somebody widens the mint role to every account: the policy still knows the names (I11)."""
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{broken_in.namespace}/roles/{broken_in.name}-mint"
    rule = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}
    broken_in.admin.merge(role, {"rules": [rule]})
    path = f"/api/v1/namespaces/{broken_in.namespace}/serviceaccounts/default/token"

    with bearer(broken_in.cluster, broken_in.token(broken_in.bot)) as api:
        code, body = api.call("POST", path, {"spec": {"expirationSeconds": 600}})

    assert (code, HttpReply(status=code, body=body).fenced_by) == (403, f"{broken_in.name}-tokens")


def test_somebody_elses_account_of_such_a_name_is_left_alone(broken_in):
    """Another installation's planner is no planner of ours, whatever its namespace: it writes as its own fences let it."""
    elsewhere = f"{broken_in.name}-else"
    admin = broken_in.admin
    admin.create("/api/v1/namespaces", {"metadata": {"name": elsewhere}})
    account = Installation(name="somebody").planner("b", elsewhere)
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


# ---------------------------------------------------------------------- whoever may do anything else in a target namespace


@pytest.fixture(scope="session")
def as_editor(installation):
    """Call the API as somebody who holds the stock role ``edit`` in a target namespace, an agent with kubectl say."""
    namespace, admin = installation.namespace, installation.admin
    editor = ServiceAccount(namespace=namespace, name="editor")
    admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": editor.name}})
    binding = {
        "metadata": {"name": "editor"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": editor.name, "namespace": namespace}],
    }
    admin.create(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", binding)
    with bearer(installation.cluster, token_of(admin, editor, seconds=3600)) as api:

        def call(method, path, body=None):
            content = MERGE if method == "PATCH" else "application/json"
            code, answer = api.call(method, f"/api/v1/namespaces/{namespace}/{path}", body, content_type=content)
            fence = HttpReply(status=code, body=answer).fenced_by
            return code, fence.removeprefix(f"{installation.name}-") if fence else None

        wait_until(lambda: call("GET", "pods") == (200, None), what="the role binding holds")
        yield call


CONTAINERS = [{"name": "c", "image": "registry.example/c:1"}]
OURS = ("plan-scaler", "exec-scaler-scale", "exec-scaler-restart", "watch-scaler")


def _secret(account, *, name="t"):
    annotations = {"kubernetes.io/service-account.name": account}
    return {"metadata": {"name": name, "annotations": annotations}, "type": "kubernetes.io/service-account-token"}


@pytest.mark.parametrize("account", OURS)
def test_the_stock_role_edit_becomes_none_of_our_accounts(as_editor, installation, account):
    """No token by request, by pod (however it is named), or by Secret: each road is closed, whoever walks it."""
    account = f"{installation.ours.prefix}{account}"
    pod = {"metadata": {"name": "p"}, "spec": {"containers": CONTAINERS, "serviceAccountName": account}}
    by_the_old_field = {"metadata": {"name": "p"}, "spec": {"containers": CONTAINERS, "serviceAccount": account}}
    attempts = {
        "a token": ("serviceaccounts/{}/token", {"spec": {"expirationSeconds": 600}}),
        "a token, tried out": ("serviceaccounts/{}/token?dryRun=All", {"spec": {"expirationSeconds": 600}}),
        "a pod": ("pods", pod),
        "a pod by the old field": ("pods", by_the_old_field),
        "a Secret": ("secrets", _secret(account)),
    }

    answers = {what: as_editor("POST", path.format(account), body) for what, (path, body) in attempts.items()}

    users = (403, "users")
    minted = (403, "minters")
    assert answers == {
        "a token": minted,
        "a token, tried out": minted,
        "a pod": users,
        "a pod by the old field": users,
        "a Secret": users,
    }


def test_a_secret_of_another_account_does_not_become_one_of_ours(as_editor, installation):
    """The annotation may be changed after the Secret is made, and the controller would fill in the token."""
    changed = _secret(f"{installation.ours.prefix}{OURS[1]}", name="turned")["metadata"]
    assert as_editor("POST", "secrets", _secret("editor", name="turned")) == (201, None)

    assert as_editor("PATCH", "secrets/turned", {"metadata": changed}) == (403, "users")


def test_a_controller_runs_no_pod_as_one_of_our_accounts(installation):
    """A workload that names one of them is made, and none of its pods ever is."""
    ground = RealGround(installation)
    manifest = workload()
    manifest["spec"]["template"]["spec"]["serviceAccountName"] = f"{installation.ours.prefix}{OURS[1]}"
    ground.create(manifest)
    name = manifest["metadata"]["name"]

    def is_refused():
        conditions = ground.get("Deployment", name).get("status", {}).get("conditions", [])
        said = " ".join(one["message"] for one in conditions if one["type"] == "ReplicaFailure")
        return f"{installation.name}-users" in said

    wait_until(is_refused, what="the pods are refused", within_s=30)


def test_what_an_editor_does_otherwise_is_left_alone(as_editor):
    """Its own accounts' tokens, pods and Secrets are none of ours."""
    pod = {"metadata": {"name": "mine"}, "spec": {"containers": CONTAINERS, "serviceAccountName": "editor"}}

    answers = [
        as_editor("POST", "serviceaccounts/editor/token", {"spec": {"expirationSeconds": 3600}}),
        as_editor("POST", "pods", pod),
        as_editor("POST", "secrets", _secret("editor", name="mine")),
        as_editor("POST", "secrets", {"metadata": {"name": "plain"}}),
    ]

    assert answers == [(201, None)] * 4


@pytest.mark.parametrize("account", [*OURS, "inspector"])
def test_an_administrator_mints_none_of_our_accounts_either(installation, account):
    """The bot alone does, so that each token has a request behind it in the trail."""
    namespace, account = installation.namespace, f"{installation.ours.prefix}{account}"
    if account.endswith("inspector"):
        namespace, account = installation.ours.inspector.namespace, installation.ours.inspector.name
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"

    code, body = installation.admin.call("POST", path, {"spec": {"expirationSeconds": 600}})

    assert (code, HttpReply(status=code, body=body).fenced_by) == (403, f"{installation.name}-minters")


def test_the_inspector_lists_who_may_do_what_and_nothing_else(as_account, installation):
    """Roles, bindings, admission policies and namespaces, in lists; no object by name, no write, nothing beside."""
    account = installation.ours.inspector
    rbac, admission = "/apis/rbac.authorization.k8s.io/v1", "/apis/admissionregistration.k8s.io/v1"
    lists = [
        *(f"{rbac}/{kind}" for kind in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),
        *(f"{admission}/{kind}" for kind in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")),
        "/api/v1/namespaces",
    ]
    others = ["/api/v1/namespaces/default", "/api/v1/secrets", "/api/v1/pods", "/apis/apps/v1/deployments"]
    others += [f"{rbac}/clusterroles/edit", f"{admission}/mutatingadmissionpolicies"]

    assert [as_account(account, "GET", path) for path in lists] == [(200, None)] * len(lists)
    assert [as_account(account, "GET", path) for path in others] == [RIGHTLESS] * len(others)
    assert as_account(account, "POST", "/api/v1/namespaces", {"metadata": {"name": "x"}}) == RIGHTLESS
