"""Where the contract is held: the stand-in, and a real cluster that is given the same accounts, fences and objects."""

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from sandbox.cluster import Account, DryRunOnly, FieldFence, MinterFence, Rule, Seed, StandIn, TokenFence, autoscaler
from tests.sandbox.cluster.wire import Wire
from tests.waiting import wait_until

NAMESPACE = "contract"
REQUEST_ID = "countersign.dev/request-id"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"

PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets"}
_NUMBERS = count(1)

SCALE_RULE = {
    "apiGroups": ["apps"],
    "resources": ["deployments/scale", "statefulsets/scale"],
    "verbs": ["get", "patch"],
}
_EDIT_RULE = {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["get", "patch"]}
_LIST_RULE = {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"]}
MINT_RULE = {
    "apiGroups": [""],
    "resources": ["serviceaccounts/token"],
    "verbs": ["create"],
    "resourceNames": ["planner", "nobody", "guarded"],
}
RULES = {
    "nothing": [],
    "scaler": [SCALE_RULE],
    "planner": [_EDIT_RULE, SCALE_RULE, _LIST_RULE],
    "editor": [_EDIT_RULE],
    "minter": [MINT_RULE],
    "guarded": [],
    "watcher": [{"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]}],
}
"""The accounts of the contract and what they may do in its namespace."""


@dataclass(frozen=True)
class Place:
    """A running API server with the contract's accounts."""

    wire: Wire
    """As an administrator."""
    tokens: dict[str, str]
    make: Callable[[dict[str, Any]], None]

    def as_account(self, name):
        """Return the wire as one of the accounts."""
        return self.wire.speaking_as(self.tokens[name])

    def workload(self, kind="Deployment", *, replicas=3, settled=True, **more):
        """Make a workload and return its path, once all its pods are ready."""
        name = f"web-{next(_NUMBERS)}"
        self.make(manifest(kind, name, replicas=replicas, **more))
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/{PLURALS[kind]}/{name}"
        if settled:
            self.wait_settled(path)
        return path

    def wait_settled(self, path, within_s=20.0):
        """Return the workload once the controller has done everything that it asks for."""
        wait_until(lambda: is_settled(self.wire.get(path)), what=f"{path} has rolled out", within_s=within_s)
        return self.wire.get(path)


def is_settled(workload):
    """Tell whether a workload's status says that all is done and will stay."""
    status, wanted = workload["status"], workload["spec"]["replicas"]
    numbers = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
    is_seen = status.get("observedGeneration") == workload["metadata"]["generation"]
    revisions = {status.get("currentRevision"), status.get("updateRevision")}
    conditions = {one["type"]: one["reason"] for one in status.get("conditions", [])}
    is_quiet = status.get("terminatingReplicas", 0) == 0
    return is_seen and is_quiet and numbers == [wanted] * 4 and len(revisions) == 1 and conditions in ({}, COMPLETE)


COMPLETE = {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}


def manifest(kind, name, *, replicas, labels=None, deadline_s=None):
    """Return a workload with one container."""
    app = {"app": name}
    container = {"name": "web", "image": "registry.example/web:1", "env": [{"name": "MODE", "value": "live"}]}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": app},
        "template": {"metadata": {"labels": {**app, **(labels or {})}}, "spec": {"containers": [container]}},
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    if deadline_s is not None:
        spec["progressDeadlineSeconds"] = deadline_s
    metadata = {"namespace": NAMESPACE, "name": name}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


@contextmanager
def stand_in(directory) -> Iterator[Place]:
    """Give a stand-in with the contract's accounts."""
    accounts = tuple(
        Account(namespace=NAMESPACE, name=name, rules=tuple(_rule(rule) for rule in rules))
        for name, rules in RULES.items()
    )
    user = f"system:serviceaccount:{NAMESPACE}:"
    fences = (
        DryRunOnly(name="contract-planner", users=(f"{user}planner",), message="only dry runs"),
        TokenFence(
            name="contract-minter",
            users=(f"{user}minter",),
            audiences=("https://kubernetes.default.svc",),
            message="at most 600 s",
        ),
        MinterFence(
            name="contract-guarded",
            minters=(f"{user}minter",),
            accounts=(f"{user}guarded",),
            message="by the minter only",
        ),
        FieldFence(
            name="contract-editor",
            users=(f"{user}editor",),
            resource="deployments",
            pointers=(f"/metadata/annotations/{REQUEST_ID.replace('/', '~1')}",),
            forms={f"/metadata/annotations/{REQUEST_ID.replace('/', '~1')}": "[a-z_0-9]{1,20}"},
            message="only the request id",
        ),
    )
    hpa = autoscaler(NAMESPACE, "watched", least=2, most=8)
    seed = Seed(namespaces=(NAMESPACE,), accounts=accounts, fences=fences, autoscalers=(hpa,))
    with StandIn(directory, seed, rollout=timedelta(0), lag=timedelta(0)) as cluster:
        tokens = {account.name: cluster.token(account) for account in accounts if account.name != "guarded"}
        yield Place(Wire(cluster.server, token=cluster.token()), tokens, cluster.create)


def _rule(rule):
    return Rule(
        groups=tuple(rule["apiGroups"]),
        resources=tuple(rule["resources"]),
        verbs=tuple(rule["verbs"]),
        names=tuple(rule.get("resourceNames", ())),
        namespace=NAMESPACE,
    )


def real(cluster) -> Place:
    """Return the real cluster with the contract's accounts; they stay, for the cluster ends with the run."""
    admin = _administrator(cluster)
    core, rbac = f"/api/v1/namespaces/{NAMESPACE}", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
    _created(admin, "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for name, rules in RULES.items():
        _created(admin, f"{core}/serviceaccounts", {"metadata": {"name": name}})
        _created(admin, f"{rbac}/roles", {"metadata": {"name": name}, "rules": rules})
        subject = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        _created(admin, f"{rbac}/rolebindings", {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]})
    hpa = autoscaler(NAMESPACE, "watched", least=2, most=8)
    del hpa["status"]
    _created(admin, f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers", hpa)
    tokens = {name: _minted(admin, f"{core}/serviceaccounts/{name}/token") for name in RULES if name != "guarded"}
    place = Place(admin, tokens, lambda workload: _make(admin, workload))
    _fence(place)
    return place


def _administrator(cluster):
    """Return the wire as an account with all rights, so that everything here speaks by tokens."""
    known = json.loads(cluster.kubeconfig.read_text())["users"][0]["user"]
    folder = cluster.kubeconfig.parent
    for part in ("certificate", "key"):
        (folder / f"contract-{part}.pem").write_bytes(base64.b64decode(known[f"client-{part}-data"]))
    tls = ssl.create_default_context(cafile=cluster.ca_file)
    tls.load_cert_chain(folder / "contract-certificate.pem", folder / "contract-key.pem")
    wire = Wire(cluster.server, tls)
    _created(wire, "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "contract-admin"}})
    subject = {"kind": "ServiceAccount", "name": "contract-admin", "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"metadata": {"name": "contract-admin"}, "roleRef": role, "subjects": [subject]}
    _created(wire, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    token = _minted(wire, "/api/v1/namespaces/default/serviceaccounts/contract-admin/token")
    return Wire(cluster.server, ssl.create_default_context(cafile=cluster.ca_file), token)


def _fence(place):
    user = f"system:serviceaccount:{NAMESPACE}:"
    anything = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
    tokens = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["serviceaccounts/token"],
    }
    objects = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}
    _policy(place.wire, "contract-planner", anything, f"{user}planner", "request.dryRun == true", "only dry runs")
    short = (
        "object.spec.expirationSeconds <= 600 && object.spec.audiences.all(a, a == 'https://kubernetes.default.svc')"
    )
    _policy(place.wire, "contract-minter", tokens, f"{user}minter", short, "at most 600 s")
    _policy(
        place.wire,
        "contract-guarded",
        tokens,
        f"{user}guarded",
        f"request.userInfo.username == '{user}minter'",
        "by the minter only",
        whose="'system:serviceaccount:' + request.namespace + ':' + request.name",
    )
    same = (
        "object.spec == oldObject.spec && has(object.metadata.labels) == has(oldObject.metadata.labels)"
        f" && object.metadata.?annotations[?'{REQUEST_ID}'].orValue('').matches('^[a-z_0-9]{{1,20}}$')"
    )
    _policy(place.wire, "contract-editor", objects, f"{user}editor", same, "only the request id")
    mint = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/planner/token"
    path = place.workload(settled=False)

    def holds() -> bool:
        refused = (
            place.as_account("minter").post(mint, {"spec": {"expirationSeconds": 3600}}),
            place.as_account("planner").patch(path, {}),
            place.as_account("editor").patch(path, {"spec": {"paused": True}}, dryRun="All"),
            place.wire.post(mint.replace("planner", "guarded"), {"spec": {"expirationSeconds": 600}}),
        )
        return {reply.status for reply in refused} == {403}

    wait_until(holds, what="the admission policies have taken hold")


def _policy(wire, name, rule, user, expression, message, *, whose="request.userInfo.username"):
    path = "/apis/admissionregistration.k8s.io/v1"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "who", "expression": f"{whose} == '{user}'"}],
        "validations": [{"expression": expression, "message": message, "reason": "Forbidden"}],
    }
    _created(wire, f"{path}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
    _created(wire, f"{path}/validatingadmissionpolicybindings", binding)


def _make(wire, workload):
    plural = PLURALS[workload["kind"]]
    _created(wire, f"/apis/apps/v1/namespaces/{NAMESPACE}/{plural}", workload)


def _created(wire, path, body):
    reply = wire.post(path, body)
    assert reply.status == 201, reply.body
    return reply.body


def _minted(wire, path):
    return _created(wire, path, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
