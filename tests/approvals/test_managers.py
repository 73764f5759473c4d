"""Managers: who else writes to a workload, told from its marks, its autoscalers and its field managers."""

from typing import Any

import pytest

from approvals.verbs.managers import autoscaler_findings, manager_findings, named, owners_of
from tests.builders import ESCALATION, a_workload


def an_hpa(name: str = "web", kind: str = "Deployment", target: str = "checkout", **spec: Any) -> dict[str, Any]:
    """Return a raw autoscaler."""
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": target}
    return {"metadata": {"name": name}, "spec": {"scaleTargetRef": reference, "maxReplicas": 9, **spec}}


def test_an_autoscaler_of_the_workload_is_a_finding():
    """It may undo a number set by hand; those of other workloads or kinds are no matter."""
    autoscalers = [
        an_hpa("a", minReplicas=2),
        an_hpa("b"),
        an_hpa(kind="StatefulSet"),
        an_hpa(target="cart"),
        {"metadata": {"name": "x"}, "spec": {"scaleTargetRef": {}, "maxReplicas": 1}},
    ]

    assert autoscaler_findings(a_workload(), autoscalers, before=3, after=6) == (
        "The autoscaler a keeps this between 2 and 9 pods and may undo the number.",
        "The autoscaler b keeps this between 1 and 9 pods and may undo the number.",
    )
    assert autoscaler_findings(a_workload(), [], before=3, after=6) == ()


@pytest.mark.parametrize(
    ("before", "after", "least", "said"),
    [
        (3, 0, 2, "The autoscaler web is switched off by 0 and stays so until somebody sets another number."),
        (
            0,
            3,
            2,
            "The autoscaler web is off at 0; this switches it on again, and it may set its own number between 2 and 9 pods.",
        ),
        (3, 0, 0, "The autoscaler web keeps this between 0 and 9 pods and may undo the number."),
        (0, 3, 0, "The autoscaler web keeps this between 0 and 9 pods and may undo the number."),
    ],
    ids=["to 0", "from 0", "to 0, which it may choose itself", "from 0, likewise"],
)
def test_an_autoscaler_is_off_at_zero(before, after, least, said):
    """It keeps nothing there: saying that it does is the opposite of what happens."""
    assert autoscaler_findings(a_workload(), [an_hpa(minReplicas=least)], before=before, after=after) == (said,)


@pytest.mark.parametrize(
    "mark",
    [
        {"ownerReferences": [{"kind": "ScaledObject", "name": "web"}]},
        {"labels": {"scaledobject.keda.sh/name": "web"}},
    ],
)
def test_keda_wakes_what_sleeps(mark):
    """Behind an autoscaler of KEDA's, 0 is no end."""
    hpa = an_hpa("keda-hpa-web")
    hpa["metadata"] |= mark

    assert autoscaler_findings(a_workload(), [hpa], before=3, after=0) == (
        (
            "KEDA scales this through the autoscaler keda-hpa-web, between 1 and 9 pods, from and to 0 as well, "
            "and may undo the number."
        ),
    )


@pytest.mark.parametrize("name", ["", "a b", "<!channel>", "x" * 64, "-x", None, 7])
def test_a_name_that_is_not_plain_is_not_shown(name):
    """A name comes from the cluster, and whoever chose it may not write on the card."""
    assert named(name, otherwise="somebody") == "somebody"
    assert named("web-1.a_B", otherwise="somebody") == "web-1.a_B"


@pytest.mark.parametrize(
    ("labels", "annotations", "found"),
    [
        ({}, {}, ()),
        (None, None, ()),
        ({"argocd.argoproj.io/instance": "x"}, None, ("Argo CD",)),
        ({}, {"argocd.argoproj.io/tracking-id": "x"}, ("Argo CD",)),
        ({"kustomize.toolkit.fluxcd.io/name": "x"}, {}, ("Flux",)),
        ({"helm.toolkit.fluxcd.io/name": "x", "kustomize.toolkit.fluxcd.io/name": "x"}, {}, ("Flux",)),
        ({"helm.toolkit.fluxcd.io/name": "x"}, {"argocd.argoproj.io/tracking-id": "x"}, ("Argo CD", "Flux")),
        ({"app.kubernetes.io/instance": "x", "argocd.argoproj.io/instance": "x"}, {}, ("Argo CD",)),
    ],
)
def test_a_gitops_controllers_mark_is_a_finding(labels, annotations, found):
    """Who manages the object may set the change back; each is named once, in order."""
    workload = a_workload()
    workload["metadata"] |= {"labels": labels, "annotations": annotations}

    assert manager_findings(workload) == tuple(f"{name} manages this and may set the change back." for name in found)


BY_LABEL = (
    "It carries the label app.kubernetes.io/instance ({}), by which Argo CD tracks unless told otherwise: if it does, "
    "it may set the change back."
)


@pytest.mark.parametrize(
    ("labels", "annotations", "said"),
    [
        ({"app.kubernetes.io/instance": "shop"}, {}, BY_LABEL.format("shop")),
        ({"app.kubernetes.io/instance": "<!here>"}, {}, BY_LABEL.format("a name that is not plain")),
        (
            {"app.kubernetes.io/managed-by": "Helm"},
            {"meta.helm.sh/release-name": "shop"},
            "It belongs to the Helm release shop: its next upgrade may set the change back.",
        ),
        (
            {"app.kubernetes.io/managed-by": "Kustomize"},
            {},
            "Its label app.kubernetes.io/managed-by says that Kustomize manages it, which may set the change back.",
        ),
    ],
)
def test_a_label_that_others_use_too_is_a_hint(labels, annotations, said):
    """It is worded as one: a chart sets the same labels as Argo CD."""
    workload = a_workload()
    workload["metadata"] |= {"labels": labels, "annotations": annotations}

    assert manager_findings(workload) == (said,)


def with_metadata(**metadata: Any) -> dict[str, Any]:
    """Return a raw workload with some of its metadata set."""
    workload = a_workload()
    workload["metadata"] |= metadata
    return workload


@pytest.mark.parametrize(
    ("mark", "tool"),
    [
        ({"fluxcd.io/sync-checksum": "a1"}, "Flux"),
        ({"configmanagement.gke.io/managed": "enabled"}, "Config Sync"),
        ({"configsync.gke.io/resource-id": "apps_deployment_shop_checkout"}, "Config Sync"),
        ({"kapp.k14s.io/app": "1612"}, "kapp"),
        ({"objectset.rio.cattle.io/id": "default-shop"}, "Rancher Fleet or k3s"),
        ({"olm.owner": "shop.v1"}, "The Operator Lifecycle Manager"),
    ],
)
def test_every_tool_that_applies_by_itself_is_known_by_its_mark(mark, tool):
    """Not only the two best known ones set a change back; a label and an annotation are the same mark."""
    found = (f"{tool} manages this and may set the change back.",)

    assert manager_findings(with_metadata(labels=mark)) == found
    assert manager_findings(with_metadata(annotations=mark)) == found


def test_a_tool_that_leaves_the_object_alone_is_no_finding():
    """Config Sync marks so what it has let go of."""
    assert manager_findings(with_metadata(annotations={"configmanagement.gke.io/managed": "disabled"})) == ()


def test_what_an_operator_has_made_is_said_to_be_its_own():
    """It reconciles what it owns: a restart's annotation and a number are set back by many. Names are shown only if plain."""
    owners = [
        {"kind": "Prometheus", "name": "k8s", "controller": True},
        {"kind": "<!here>", "name": "*x*"},
        *({"kind": "Kafka", "name": f"k{number}"} for number in range(4)),
    ]

    assert manager_findings(with_metadata(ownerReferences=owners)) == (
        "It belongs to the Prometheus k8s: the operator that made it from that may set the change back.",
        "It belongs to the object whose name is not plain: the operator that made it from that may set the change back.",
        "It belongs to the Kafka k0: the operator that made it from that may set the change back.",
        "It belongs to the Kafka k1: the operator that made it from that may set the change back.",
        "It belongs to 2 more.",
    )


def test_a_target_that_is_being_deleted_is_said():
    """Whoever approves should know that it will not be there for long."""
    workload = a_workload()
    workload["metadata"]["deletionTimestamp"] = "2026-11-20T12:00:00Z"

    assert manager_findings(workload) == ("It is being deleted: somebody has asked for its end.",)


def managed(*managers: str, field: Any = None) -> dict[str, Any]:
    """Return a workload whose number of replicas these managers have set."""
    workload = a_workload()
    fields = {"f:spec": {"f:replicas": {}}} if field is None else field
    workload["metadata"]["managedFields"] = [{"manager": name, "fieldsV1": fields} for name in managers]
    return workload


@pytest.mark.parametrize(
    ("manager", "owner"),
    [
        ("argocd-controller", "Argo CD"),
        ("argocd-application-controller", "Argo CD"),
        ("kustomize-controller", "Flux"),
        ("helm-controller", "Flux"),
        ("helm", "Helm"),
        ("keda-operator", "KEDA"),
        ("kube-controller-manager", "an autoscaler"),
        ("kubectl-client-side-apply", "kubectl"),
        ("terraform", "terraform"),
        ("<!channel>", "somebody whose name is not plain"),
    ],
)
def test_who_has_set_the_field_is_named(manager, owner):
    """By the name that people know, or by its own if that is a plain one."""
    assert owners_of(managed(manager), "spec", "replicas") == (owner,)


@pytest.mark.parametrize(
    "workload",
    [
        a_workload(),
        managed(f"countersign:{ESCALATION}"),
        managed("kubectl", field={"f:spec": {"f:template": {}}}),
        managed("kubectl", field={}),
        managed("kubectl", field={"f:spec": None}),
    ],
    ids=["nobody", "ourselves", "another field", "no field", "nothing below"],
)
def test_who_has_not_set_the_field_is_not_named(workload):
    """Our own writes are no news."""
    assert owners_of(workload, "spec", "replicas") == ()


def test_owners_of_the_field_are_findings_each_once_and_bounded():
    """A controller sets it again by itself, a person's tool when it is next applied; many are counted."""
    workload = managed("kube-controller-manager", "kubectl-edit", "kubectl", "a", "b", "c")

    assert manager_findings(workload, "spec", "replicas") == (
        "The field that this changes was last set by an autoscaler, which may set it again by itself.",
        "The field that this changes was last set by kubectl, which may apply its own again.",
        "The field that this changes was last set by a, which may apply its own again.",
        "The field that this changes was last set by b, which may apply its own again.",
        "1 more have set the field that this changes.",
    )
    assert manager_findings(workload) == ()


def test_an_owner_that_is_known_to_manage_it_is_said_once():
    """Its mark and its field say the same."""
    workload = managed("argocd-controller")
    workload["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}

    assert manager_findings(workload, "spec", "replicas") == ("Argo CD manages this and may set the change back.",)
