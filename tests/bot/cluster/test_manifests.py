import re

import pytest
import yaml

from approvals.identity.accounts import Installation
from approvals.policy.policy import NamedCluster
from approvals.verbs.registry import REGISTRY
from approvals.verbs.verb import AccessRule
from bot.cluster.rights.access import Grant, grants_of, holdings_of, merged
from bot.cluster.rights.manifests import manifest_files, manifests, selector, yaml_of
from tests.builders import INSTALLATION, a_charter, a_policy, an_environment

GRANTS = (
    Grant(agent="scaler", namespace="pay", verbs=("scale",)),
    Grant(agent="scaler", namespace="shop", verbs=("restart", "scale")),
)


def _kinds(documents, kind):
    return [one for one in documents if one["kind"] == kind]


def test_grants_come_from_the_charters():
    """Who may ask for what where is the policy's to say; environments that share a cluster are granted together."""
    shop = {
        "prod-eu-1": frozenset({"shop", "kube-system", "countersign", "countersign-b"}),
        "stage": frozenset({"shop", "lab"}),
    }
    charters = {
        "scaler": a_charter(verbs=frozenset({"scale", "restart"}), namespaces=shop),
        "medic": a_charter(agent="medic", verbs=frozenset({"restart"}), namespaces={"stage": frozenset({"lab"})}),
    }
    clusters = {name: NamedCluster(name=name, context=None) for name in ("main", "other")}
    apart, sharing = (
        a_policy(
            charters=charters,
            clusters=clusters,
            environments={"prod-eu-1": an_environment(), "stage": an_environment("stage", cluster=cluster)},
        )
        for cluster in ("other", "main")
    )

    assert grants_of(apart, "main") == (Grant(agent="scaler", namespace="shop", verbs=("restart", "scale")),)
    assert grants_of(sharing, "main") == (
        Grant(agent="medic", namespace="lab", verbs=("restart",)),
        Grant(agent="scaler", namespace="lab", verbs=("restart", "scale")),
        Grant(agent="scaler", namespace="shop", verbs=("restart", "scale")),
    )


def test_each_agent_has_its_accounts_in_each_namespace():
    """One planner, one executor for each verb, one observer; a verb that is not granted has no account."""
    names = [f"{one.account.namespace}/{one.account.name}" for one in holdings_of(GRANTS, INSTALLATION)]

    assert names == [
        "pay/countersign-acme-plan-scaler",
        "pay/countersign-acme-exec-scaler-scale",
        "pay/countersign-acme-watch-scaler",
        "shop/countersign-acme-plan-scaler",
        "shop/countersign-acme-exec-scaler-restart",
        "shop/countersign-acme-exec-scaler-scale",
        "shop/countersign-acme-watch-scaler",
    ]


def test_the_executor_of_scale_holds_the_two_scale_subresources_only():
    """There is no template to attack where only the number is granted."""
    (scale,) = [one for one in holdings_of(GRANTS[:1], INSTALLATION) if one.verb is not None]

    assert scale.rules == (
        AccessRule(group="apps", resource="deployments/scale", verbs=("get", "patch")),
        AccessRule(group="apps", resource="statefulsets/scale", verbs=("get", "patch")),
    )


def test_rules_for_one_resource_are_one():
    """A planner of several verbs has one rule a resource."""
    rules = [
        AccessRule(group="apps", resource="deployments", verbs=("get",)),
        AccessRule(group="apps", resource="deployments", verbs=("patch", "get")),
    ]

    assert merged(rules) == (AccessRule(group="apps", resource="deployments", verbs=("get", "patch")),)


def test_two_agents_cannot_share_an_account():
    """The same agent twice in one namespace would make one account of two grants."""
    with pytest.raises(ValueError, match="same name"):
        holdings_of([GRANTS[0], GRANTS[0]], INSTALLATION)


def test_verbs_names_keep_executors_apart():
    """A fence knows an executor by how its name ends, so no verb's name may end another's."""
    names = [verb.name for verb in REGISTRY]

    assert [(one, other) for one in names for other in names if one.endswith(f"-{other}")] == []


FORBIDDEN = {"*", "escalate", "bind", "impersonate", "secrets", "pods/exec", "nodes/proxy", "deletecollection"}


def test_t_exe_04_the_shipped_roles_hold_nothing_dangerous():
    """T-EXE-04: no wildcard, no way to more rights, no secrets, no shells; tokens of the named accounts only."""
    documents = manifests(GRANTS, INSTALLATION)
    roles = [*_kinds(documents, "Role"), *_kinds(documents, "ClusterRole")]
    rules = [rule for role in roles for rule in role["rules"]]
    words = {word for rule in rules for key in ("apiGroups", "resources", "verbs") for word in rule[key]}
    minting = [rule for rule in rules if "serviceaccounts/token" in rule["resources"]]

    assert words & FORBIDDEN == set()
    assert [rule["resourceNames"] for rule in minting] == [
        ["countersign-acme-inspect"],
        [f"countersign-acme-{one}-scaler{verb}" for one, verb in (("plan", ""), ("exec", "-scale"), ("watch", ""))],
        [
            f"countersign-acme-{one}-scaler{verb}"
            for one, verb in (("plan", ""), ("exec", "-restart"), ("exec", "-scale"), ("watch", ""))
        ],
    ]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "patch", "create"}


def test_one_account_alone_holds_a_right_in_the_whole_cluster():
    """The inspector lists roles, bindings, admission policies and namespaces; nothing else of ours is cluster-wide."""
    documents = manifests(GRANTS, INSTALLATION)
    (role,), (binding,) = _kinds(documents, "ClusterRole"), _kinds(documents, "ClusterRoleBinding")

    assert [(rule["apiGroups"], rule["resources"], rule["verbs"]) for rule in role["rules"]] == [
        ([""], ["namespaces"], ["list"]),
        (["admissionregistration.k8s.io"], ["validatingadmissionpolicies"], ["list"]),
        (["admissionregistration.k8s.io"], ["validatingadmissionpolicybindings"], ["list"]),
        (["rbac.authorization.k8s.io"], ["clusterrolebindings"], ["list"]),
        (["rbac.authorization.k8s.io"], ["clusterroles"], ["list"]),
        (["rbac.authorization.k8s.io"], ["rolebindings"], ["list"]),
        (["rbac.authorization.k8s.io"], ["roles"], ["list"]),
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"] == "countersign-acme-inspector"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "countersign-acme-inspect", "namespace": "countersign-acme"}
    ]


def test_the_bots_own_account_may_mint_and_read_which_cluster_it_is():
    """Two rights, both by name; whatever else it tries is refused."""
    documents = manifests(GRANTS, INSTALLATION)
    own = {"kind": "ServiceAccount", "name": "countersign", "namespace": "countersign-acme"}
    roles = [
        (one["metadata"]["namespace"], one["roleRef"]["name"])
        for one in _kinds(documents, "RoleBinding")
        if own in one["subjects"]
    ]

    assert roles == [
        ("kube-system", "countersign-acme-cluster-identity"),
        ("countersign-acme", "countersign-acme-mint"),
        ("pay", "countersign-acme-mint"),
        ("shop", "countersign-acme-mint"),
    ]


def test_fences_know_the_accounts_of_their_installation_in_every_namespace():
    """Another installation's account of the same agent in the same namespace is left alone, and so is somebody else's."""
    conditions = {
        one["metadata"]["name"]: one["spec"]["matchConditions"][0]["expression"]
        for one in _kinds(manifests(GRANTS, INSTALLATION), "ValidatingAdmissionPolicy")
    }
    pattern = r"request\.userInfo\.username\.matches\('(.*)'\)"

    found = re.fullmatch(pattern, conditions["countersign-acme-planners"])
    assert found is not None
    accounts = {
        "shop:countersign-acme-plan-x": True,
        "anywhere:countersign-acme-plan-x": True,
        "shop:countersign-acme-exec-plan-x": False,
        "shop:countersign-acme2-plan-x": False,
        "shop:countersign-b-plan-x": False,
        "shop:plan-x": False,
        "countersign-acme:countersign": False,
    }
    planners = re.compile(found[1])
    assert {name: bool(planners.match(f"system:serviceaccount:{name}")) for name in accounts} == accounts
    assert conditions["countersign-acme-tokens"] == (
        "request.userInfo.username == 'system:serviceaccount:countersign-acme:countersign'"
    )


def test_what_is_cluster_wide_is_the_same_whatever_is_granted():
    """Applied from an older policy file, from a newer one, in any order: no fence becomes narrower than it was."""
    one, other = (
        [document for document in manifests(grants, INSTALLATION) if "namespace" not in document["metadata"]]
        for grants in (GRANTS, [Grant(agent="medic", namespace="lab", verbs=("restart",))])
    )

    assert one == other
    assert {document["kind"] for document in one} == {
        "ClusterRole",
        "ClusterRoleBinding",
        "Namespace",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }


def test_the_namespaces_in_which_agents_act_are_nobodys_to_make():
    """Whoever deletes what was applied deletes no namespace with workloads in it."""
    namespaces = _kinds(manifests(GRANTS, INSTALLATION), "Namespace")

    assert [one["metadata"]["name"] for one in namespaces] == ["countersign-acme"]


def test_every_policy_fails_closed_and_denies():
    """A rule that cannot be evaluated refuses, and a refusal is a 403."""
    documents = manifests(GRANTS, INSTALLATION)
    policies = _kinds(documents, "ValidatingAdmissionPolicy")

    assert {one["spec"]["failurePolicy"] for one in policies} == {"Fail"}
    assert {rule["reason"] for one in policies for rule in one["spec"]["validations"]} == {"Forbidden"}
    assert [one["spec"]["policyName"] for one in _kinds(documents, "ValidatingAdmissionPolicyBinding")] == [
        one["metadata"]["name"] for one in policies
    ]


def test_every_expression_of_every_verbs_fence_is_in_the_policy():
    """The policy is derived from the verbs, so that a new verb's fence cannot be forgotten."""
    (policy,) = [
        one for one in manifests(GRANTS, INSTALLATION) if one["metadata"]["name"] == "countersign-acme-executors"
    ][:1]
    text = "\n".join(rule["expression"] for rule in policy["spec"]["validations"])

    assert [
        expression
        for verb in REGISTRY
        for fence in verb.fences
        for expression, _ in fence.expressions
        if f"({expression})" not in text
    ] == []


def test_a_verb_brings_the_object_that_its_fence_is_tried_on():
    """Where a verb is granted, the manifests bring along what it is tried on: once a kind, and nowhere else."""
    grants = (
        Grant(agent="bounder", namespace="shop", verbs=("hpa_bounds", "scale")),
        Grant(agent="other", namespace="shop", verbs=("hpa_bounds",)),
        Grant(agent="scaler", namespace="pay", verbs=("scale",)),
    )
    documents = manifests(grants, INSTALLATION)

    (autoscaler,) = _kinds(documents, "HorizontalPodAutoscaler")
    deployments = [one["metadata"]["namespace"] for one in _kinds(documents, "Deployment")]
    assert autoscaler == {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "countersign-acme-canary",
            "namespace": "shop",
            "labels": {"app.kubernetes.io/part-of": "countersign", "app.kubernetes.io/instance": "acme"},
        },
        "spec": {
            "minReplicas": 1,
            "maxReplicas": 1,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "countersign-acme-canary"},
        },
    }
    assert deployments == ["pay", "shop"]
    assert "countersign-acme-exec-bounder-hpa-bounds" in {
        one["metadata"]["name"] for one in _kinds(documents, "ServiceAccount")
    }


def test_files_are_by_cluster_and_namespace():
    """What is made once a cluster is apart from what each namespace gets; together they are everything."""
    files = manifest_files(GRANTS, INSTALLATION)

    assert list(files) == ["base/account.yaml", "base/policies.yaml", "namespaces/pay.yaml", "namespaces/shop.yaml"]
    assert [one for documents in files.values() for one in documents] == manifests(GRANTS, INSTALLATION)


def test_the_text_is_the_documents():
    """What is written is what was generated: a file reads back as the same objects."""
    documents = manifests(GRANTS, INSTALLATION)

    assert list(yaml.safe_load_all(yaml_of(documents))) == documents
    assert "&id" not in yaml_of(documents)


def _objects(documents):
    return {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in documents}


def test_two_installations_share_nothing():
    """The same agent in the same namespace, for two teams: no object of one has the name of one of the other's."""
    ours, theirs = (_objects(manifests(GRANTS, Installation(name=name))) for name in ("acme", "acme2"))

    assert ours & theirs == set()


def test_everything_is_found_by_its_labels():
    """What an installation put into a cluster can be listed and taken away, and nobody else's with it."""
    documents = manifests(GRANTS, INSTALLATION)

    assert selector(INSTALLATION) == "app.kubernetes.io/part-of=countersign,app.kubernetes.io/instance=acme"
    assert {tuple(one["metadata"]["labels"].items()) for one in documents} == {
        (("app.kubernetes.io/part-of", "countersign"), ("app.kubernetes.io/instance", "acme"))
    }


def test_nothing_granted_is_nothing_to_install():
    """An empty pattern would match wrongly, so there is no policy without accounts."""
    with pytest.raises(ValueError, match="nothing is granted"):
        manifests([], INSTALLATION)
