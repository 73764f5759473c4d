"""RBAC, computed: what each binding grants, to whom, and who else could get past the fences."""

import pytest

from approvals.identity.accounts import ServiceAccount
from bot.cluster.rights.rbac import Bindings, roads, role_grants
from bot.cluster.rights.rules import Right

ACCOUNT = ServiceAccount(namespace="shop", name="exec-scaler-scale")
BOT = ServiceAccount(namespace="countersign", name="countersign")


def _rule(verbs="get", resources="pods", group="", **more):
    return {"verbs": verbs.split(), "resources": resources.split(), "apiGroups": [group], **more}


def _role(name, *rules, namespace=None, labels=None, **more):
    metadata = {"name": name, "labels": labels or {}} | ({"namespace": namespace} if namespace else {})
    return {"metadata": metadata, "rules": list(rules) or None, **more}


def _binding(role, *subjects, namespace=None, kind="ClusterRole", name="b"):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"metadata": metadata, "roleRef": {"kind": kind, "name": role}, "subjects": list(subjects) or None}


def _subject(kind="ServiceAccount", name=ACCOUNT.name, **more):
    return {"kind": kind, "name": name, **more}


OURS = _subject(namespace="shop")


def _grants(*, roles=(), cluster_roles=(), bindings=(), cluster_bindings=()):
    return role_grants(roles=roles, cluster_roles=cluster_roles, bindings=bindings, cluster_bindings=cluster_bindings)


def test_a_role_binding_grants_a_role_in_its_namespace():
    """A Role of its own namespace, a ClusterRole in its namespace; paths beside resources never."""
    rule = _rule(nonResourceURLs=["/metrics"])
    grants = _grants(
        roles=[_role("r", _rule(), namespace="shop"), _role("r", _rule("delete"), namespace="lab")],
        cluster_roles=[_role("r", rule)],
        bindings=[
            _binding("r", OURS, namespace="shop", kind="Role"),
            _binding("r", OURS, namespace="shop"),
            _binding("gone", OURS, namespace="shop"),
            _binding("gone", OURS, namespace="shop", kind="Role"),
        ],
        cluster_bindings=[_binding("r", OURS)],
    )

    right = (Right(group="", resource="pods", verb="get"),)
    assert [(str(one), one.seen.rights, one.seen.paths) for one in grants] == [
        ("RoleBinding shop/b (Role r)", right, ()),
        ("RoleBinding shop/b (ClusterRole r)", right, ()),
        ("RoleBinding shop/b (ClusterRole gone)", (), ()),
        ("RoleBinding shop/b (Role gone)", (), ()),
        ("ClusterRoleBinding b (ClusterRole r)", right, ("get /metrics",)),
    ]
    assert [one.binds(ACCOUNT) for one in grants] == [True] * 5
    assert Bindings(grants).of(ACCOUNT) == tuple(grants), "looked up, it is the same, in the same order"


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["2"]}]}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["2"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "Unheard"}]}, True),
    ],
)
def test_a_cluster_role_holds_what_it_aggregates(selector, selects):
    """What a selector picks counts before the controller has written it down."""
    whole = _role("whole", aggregationRule={"clusterRoleSelectors": [selector]})
    part = _role("part", _rule(), labels={"a": "1"})

    (grant,) = _grants(cluster_roles=[whole, part], cluster_bindings=[_binding("whole", OURS)])

    assert bool(grant.seen.rights) is selects


@pytest.mark.parametrize(
    ("subject", "binds"),
    [
        (OURS, True),
        (_subject(), True),
        (_subject(namespace="lab"), False),
        (_subject(name="another", namespace="shop"), False),
        (_subject("User", ACCOUNT.username), True),
        (_subject("User", ACCOUNT.name), False),
        (_subject("Group", "system:serviceaccounts"), True),
        (_subject("Group", "system:serviceaccounts:shop"), True),
        (_subject("Group", "system:serviceaccounts:lab"), False),
        (_subject("Group", "system:authenticated"), True),
        (_subject("Group", "system:unauthenticated"), False),
        (_subject("Unheard", ACCOUNT.username), False),
    ],
)
def test_every_kind_of_subject_is_known(subject, binds):
    """By its name, in its own or the binding's namespace; by its username; by the groups that it is in."""
    (grant,) = _grants(bindings=[_binding("r", subject, namespace="shop")])

    assert grant.binds(ACCOUNT) is binds
    assert Bindings([grant]).of(ACCOUNT) == ((grant,) if binds else ())


def test_the_control_plane_and_the_administrators_are_nobody_else():
    """Who may do anything anyway is not news."""
    subjects = [
        _subject("Group", "system:masters"),
        _subject("User", "system:kube-controller-manager"),
        _subject(name="replicaset-controller", namespace="kube-system"),
        _subject("User", "ada"),
        _subject(name="agent"),
    ]
    (grant,) = _grants(bindings=[_binding("r", *subjects, namespace="shop")])

    assert grant.others() == ("the user ada", "the account shop/agent")


GROUP = "authentication.k8s.io"
IMPERSONATE, CLAIM, BECOME, CHANGE = range(4)


@pytest.mark.parametrize(
    ("rule", "namespace", "opened"),
    [
        (_rule("impersonate", "serviceaccounts"), "shop", {IMPERSONATE}),
        (_rule("impersonate", "serviceaccounts"), "lab", set()),
        (_rule("impersonate", "serviceaccounts"), None, {IMPERSONATE}),
        (_rule("impersonate", "serviceaccounts", resourceNames=["default"]), "shop", set()),
        (_rule("impersonate", "serviceaccounts", resourceNames=[ACCOUNT.name]), "shop", {IMPERSONATE}),
        (_rule("impersonate", "users", resourceNames=[ACCOUNT.username]), None, {IMPERSONATE}),
        (_rule("impersonate", "users", resourceNames=["ada"]), None, set()),
        (_rule("impersonate:serviceaccount", "serviceaccounts", "authentication.k8s.io"), None, {IMPERSONATE}),
        (_rule("*", "*", "*"), None, {IMPERSONATE, CLAIM, BECOME, CHANGE}),
        (_rule("*", "*", "*"), "shop", {IMPERSONATE}),
        (_rule("create", "*/token"), "countersign", {BECOME}),
        (_rule("create", "serviceaccounts/token", resourceNames=["default"]), "countersign", set()),
        (_rule("create", "pods"), "countersign", {BECOME}),
        (_rule("create", "pods"), "shop", set()),
        *((_rule(verb, "pods/exec pods/attach"), "countersign", {BECOME}) for verb in ("get", "create")),
        (_rule("patch", "pods/ephemeralcontainers"), "countersign", {BECOME}),
        (_rule("update", "pods"), "countersign", {BECOME}),
        (_rule("list", "secrets"), "countersign", {BECOME}),
        (_rule("create", "cronjobs", "batch"), "countersign", {BECOME}),
        *((_rule("patch", kind, "apps"), "countersign", {BECOME}) for kind in ("deployments", "daemonsets")),
        (_rule("get", "nodes/proxy"), None, {BECOME}),
        (_rule("get", "pods pods/log"), "countersign", set()),
        (_rule("impersonate", "userextras/authentication.kubernetes.io/credential-id", GROUP), None, {CLAIM}),
        (_rule("impersonate", "userextras/scopes", GROUP), None, set()),
        (_rule("approve", "signers", "certificates.k8s.io"), None, {IMPERSONATE}),
        (_rule("approve", "signers", "certificates.k8s.io", resourceNames=["example.com/x"]), None, set()),
        (_rule("delete", "validatingadmissionpolicies", "admissionregistration.k8s.io"), None, {CHANGE}),
        (_rule("delete", "validatingadmissionpolicies", "admissionregistration.k8s.io"), "shop", set()),
        (_rule("get", "validatingadmissionpolicies", "admissionregistration.k8s.io"), None, set()),
    ],
)
def test_roads_past_the_fences(rule, namespace, opened):
    """Impersonation where our accounts are, the bot's own namespace, and the policies themselves."""
    role, bound = _role("r", rule), _binding("r", _subject("User", "ada"), namespace=namespace)
    where = {"bindings": [bound]} if namespace else {"cluster_bindings": [bound]}

    (grant,) = _grants(cluster_roles=[role], **where)

    assert {number for number, road in enumerate(roads([ACCOUNT], bot=BOT)) if road.is_open_by(grant)} == opened
