"""Workloads: how many pods are wanted, and how they are replaced, read from raw objects."""

import pytest

from approvals.verbs.workload import (
    DEPLOYMENT,
    HPAS,
    STATEFUL_SET,
    counted,
    goes_one_by_one,
    held_back,
    is_being_deleted,
    is_paused,
    most_surplus,
    replaces_only_what_is_deleted,
    stops_all_first,
    wanted_replicas,
)
from tests.builders import a_workload


def test_the_resources_are_those_of_the_servers_addresses():
    """A misspelt plural would be a 404 at every step."""
    assert [
        (one.name, one.resource.group, one.resource.version, one.resource.plural) for one in (DEPLOYMENT, STATEFUL_SET)
    ] == [
        ("Deployment", "apps", "v1", "deployments"),
        ("StatefulSet", "apps", "v1", "statefulsets"),
    ]
    assert (HPAS.group, HPAS.version, HPAS.plural) == ("autoscaling", "v2", "horizontalpodautoscalers")


@pytest.mark.parametrize(
    ("workload", "wanted"),
    [({"spec": {"replicas": 3}}, 3), ({"spec": {"replicas": 0}}, 0), ({"spec": {}}, 1), ({"spec": None}, 1), ({}, 1)],
)
def test_a_workload_wants_one_pod_unless_it_says_otherwise(workload, wanted):
    """The server's default, not zero."""
    assert wanted_replicas(workload) == wanted


@pytest.mark.parametrize(("number", "said"), [(0, "0 pods"), (1, "1 pod"), (2, "2 pods")])
def test_pods_are_counted_in_words(number, said):
    """One pod, otherwise pods."""
    assert counted(number, "pod") == said


def a_set(**strategy):
    """Return a StatefulSet of three pods with this update strategy."""
    return a_workload("StatefulSet", updateStrategy=strategy)


@pytest.mark.parametrize(
    ("workload", "kept"),
    [
        (a_set(), 0),
        (a_set(type="RollingUpdate", rollingUpdate=None), 0),
        (a_set(type="RollingUpdate", rollingUpdate={}), 0),
        (a_set(type="RollingUpdate", rollingUpdate={"partition": 2}), 2),
        (a_set(type="RollingUpdate", rollingUpdate={"partition": 3}), 3),
        (a_set(type="RollingUpdate", rollingUpdate={"partition": 9}), 3),
        (a_workload(), 0),
    ],
)
def test_a_partition_holds_pods_back(workload, kept):
    """At most as many as there are."""
    assert held_back(workload) == kept


@pytest.mark.parametrize(
    ("workload", "surplus"),
    [
        (a_workload(replicas=3), 1),
        (a_workload(replicas=4), 1),
        (a_workload(replicas=5), 2),
        (a_workload(replicas=20, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}), 0),
        (a_workload(replicas=20, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3}}), 3),
        (a_workload(replicas=20, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%"}}), 20),
        (a_workload(replicas=20, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "odd"}}), 0),
        (a_workload(replicas=20, strategy={"type": "Recreate"}), 0),
        (a_workload("StatefulSet", replicas=20), 0),
    ],
)
def test_a_deployment_may_surge(workload, surplus):
    """By a quarter, rounded up, unless it says otherwise; what stops all first and a StatefulSet never."""
    assert most_surplus(workload) == surplus


def test_how_pods_are_replaced():
    """Each of the settings that change what a restart does is told from its absence."""
    assert [is_paused(a_workload(paused=paused)) for paused in (True, False)] == [True, False]
    assert [replaces_only_what_is_deleted(a_set(type=kind)) for kind in ("OnDelete", "RollingUpdate")] == [True, False]
    assert [stops_all_first(a_workload(strategy={"type": kind})) for kind in ("Recreate", "RollingUpdate")] == [
        True,
        False,
    ]
    assert [goes_one_by_one(one) for one in (a_set(), a_workload())] == [True, False]
    assert [is_being_deleted({"metadata": one}) for one in ({"deletionTimestamp": "2026-11-20T12:00:00Z"}, {})] == [
        True,
        False,
    ]
