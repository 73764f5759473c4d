"""Accounts from RBAC manifests: what an operator would apply is what the stand-in's accounts may do."""

import pytest

from sandbox.cluster import Account, Rule, accounts_of


def manifest(kind, name, namespace=None, **more):
    """Return a manifest."""
    return {"kind": kind, "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}), **more}


def binding(name, role_kind, role, *, namespace=None, account=("shop", "planner")):
    """Return a binding of a role to one account."""
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    subject = {"kind": "ServiceAccount", "namespace": account[0], "name": account[1]}
    return manifest(kind, name, namespace, roleRef={"kind": role_kind, "name": role}, subjects=[subject])


SCALE = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch"]}
IDENTITY = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"], "resourceNames": ["kube-system"]}


def test_an_account_has_what_is_bound_to_it():
    """Roles hold in the binding's namespace, cluster roles there or, bound cluster-wide, everywhere."""
    found = accounts_of(
        [
            manifest("Namespace", "shop"),
            manifest("ServiceAccount", "planner", "shop"),
            manifest("ServiceAccount", "idle", "shop"),
            manifest("Role", "scale", "shop", rules=[SCALE]),
            manifest("ClusterRole", "identity", rules=[IDENTITY]),
            binding("scale", "Role", "scale", namespace="shop"),
            binding("identity", "ClusterRole", "identity"),
            binding("identity-here", "ClusterRole", "identity", namespace="bank"),
            manifest("ValidatingAdmissionPolicy", "planner"),
        ]
    )

    scale = Rule(groups=("apps",), resources=("deployments/scale",), verbs=("get", "patch"), namespace="shop")
    everywhere = Rule(groups=("",), resources=("namespaces",), verbs=("get",), names=("kube-system",))
    bank = Rule(groups=("",), resources=("namespaces",), verbs=("get",), names=("kube-system",), namespace="bank")
    assert found == (
        Account(namespace="shop", name="planner", rules=(scale, everywhere, bank)),
        Account(namespace="shop", name="idle"),
    )


@pytest.mark.parametrize(
    ("manifests", "message"),
    [
        (
            [binding("b", "Role", "missing", namespace="shop")],
            "binds the role missing, which is not in these manifests",
        ),
        ([binding("b", "Role", "r", namespace="shop", account=("shop", "ghost"))], "binds ghost, which is no account"),
        (
            [
                manifest("ClusterRole", "r", rules=[{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]),
                binding("b", "ClusterRole", "r"),
            ],
            "grants addresses outside the API",
        ),
    ],
)
def test_what_cannot_be_carried_over_is_told(manifests, message):
    """A binding into the void, or a right that the stand-in does not know, is an error and not a silent nothing."""
    with pytest.raises(ValueError, match=message):
        accounts_of([manifest("ServiceAccount", "planner", "shop"), *manifests])
