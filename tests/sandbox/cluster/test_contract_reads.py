"""The contract, reading: what both the stand-in and a real API server answer to GET, and to whoever may not."""

from urllib.parse import urlencode

import pytest

from tests.sandbox.cluster.places import NAMESPACE
from tests.sandbox.cluster.wire import Wire
from tests.waiting import wait_until

DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
STATEFUL_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"
AUTOSCALERS = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers"

UNAUTHORIZED = {"code": 401, "message": "Unauthorized", "reason": "Unauthorized"}


def test_the_version_is_known_to_all(place):
    """Anybody may ask for the version, also without a credential."""
    reply = Wire(place.wire.server, place.wire.ca).send("GET", "/version")

    assert reply.status == 200
    assert (reply.body["major"], reply.body["minor"]) == ("1", "36")
    assert reply.body["gitVersion"].startswith("v1.36.")


def test_the_cluster_is_told_by_the_uid_of_its_system_namespace(place):
    """The namespace kube-system has a uid that stays."""
    first, second = (place.wire.get("/api/v1/namespaces/kube-system") for _ in range(2))

    assert first["metadata"]["uid"] == second["metadata"]["uid"]
    assert {key: first[key] for key in ("kind", "apiVersion", "spec", "status")} == {
        "kind": "Namespace",
        "apiVersion": "v1",
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def test_namespaces_can_be_listed(place):
    """The list of namespaces has the system's and one's own; its items carry no kind."""
    listed = place.wire.get("/api/v1/namespaces")

    assert (listed["kind"], listed["apiVersion"]) == ("NamespaceList", "v1")
    assert {"default", "kube-system", NAMESPACE} <= {item["metadata"]["name"] for item in listed["items"]}
    assert not any("kind" in item for item in listed["items"])


def test_a_settled_deployment(place):
    """A Deployment whose pods are all ready says so, for its newest generation, with the defaults filled in."""
    found = place.wire.get(place.workload(replicas=3))

    status = found["status"]
    assert {key: value for key, value in status.items() if key != "conditions"} == {
        "observedGeneration": found["metadata"]["generation"],
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "terminatingReplicas": 0,
    }
    assert sorted(
        (one["type"], one["status"], one["reason"], one["message"].split(" ")[0]) for one in status["conditions"]
    ) == [
        ("Available", "True", "MinimumReplicasAvailable", "Deployment"),
        ("Progressing", "True", "NewReplicaSetAvailable", "ReplicaSet"),
    ]
    assert set(status["conditions"][0]) == {
        "type",
        "status",
        "reason",
        "message",
        "lastUpdateTime",
        "lastTransitionTime",
    }
    assert found["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}
    spec = found["spec"]
    assert {key: value for key, value in spec.items() if key not in {"template", "selector"}} == {
        "replicas": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    assert spec["template"]["spec"] == POD


POD = {
    "containers": [
        {
            "name": "web",
            "image": "registry.example/web:1",
            "env": [{"name": "MODE", "value": "live"}],
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
        }
    ],
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}


def test_a_settled_stateful_set(place):
    """A StatefulSet whose pods are all ready says so; its two revisions are one."""
    found = place.wire.get(place.workload("StatefulSet", replicas=2))

    status = dict(found["status"])
    assert status.pop("currentRevision") == status.pop("updateRevision")
    assert status == {
        "observedGeneration": 1,
        "replicas": 2,
        "readyReplicas": 2,
        "currentReplicas": 2,
        "updatedReplicas": 2,
        "availableReplicas": 2,
        "collisionCount": 0,
    }
    assert {
        key: value for key, value in found["spec"].items() if key not in {"template", "selector", "serviceName"}
    } == {
        "replicas": 2,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    }


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_scale_of_a_workload(place, kind):
    """The scale has the workload's identity and number of pods, and neither generation nor managed fields."""
    path = place.workload(kind, replicas=2)

    workload, scale = place.wire.get(path), place.wire.get(f"{path}/scale")

    identity = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    name = workload["metadata"]["name"]
    assert scale == {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: workload["metadata"][field] for field in identity},
        "spec": {"replicas": 2},
        "status": {"replicas": 2, "selector": f"app={name}"},
    }


def test_autoscalers_are_listed_by_namespace(place):
    """The list holds the namespace's autoscalers, and is empty elsewhere, also where there is no such namespace."""
    here = place.wire.get(AUTOSCALERS)
    elsewhere = place.wire.get(AUTOSCALERS.replace(NAMESPACE, "nowhere"))

    assert (here["kind"], here["apiVersion"]) == ("HorizontalPodAutoscalerList", "autoscaling/v2")
    [found] = here["items"]
    wanted = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "watched"}}
    assert {"minReplicas": 2, "maxReplicas": 8, **wanted}.items() <= found["spec"].items()
    assert elsewhere["items"] == []


@pytest.mark.parametrize(
    ("path", "name", "group", "kind"),
    [
        (f"{DEPLOYMENTS}/nobody", "nobody", "apps", "deployments"),
        (f"{DEPLOYMENTS}/nobody/scale", "nobody", "apps", "deployments"),
        (f"{STATEFUL_SETS}/nobody", "nobody", "apps", "statefulsets"),
        (f"{DEPLOYMENTS.replace(NAMESPACE, 'nowhere')}/web", "web", "apps", "deployments"),
        ("/api/v1/namespaces/nowhere", "nowhere", "", "namespaces"),
    ],
)
def test_what_is_not_there_is_not_found(place, path, name, group, kind):
    """A missing object is 404, named in the details."""
    reply = place.wire.send("GET", path)

    assert reply.refusal == {
        "code": 404,
        "reason": "NotFound",
        "message": f'{kind}{"." if group else ""}{group} "{name}" not found',
        "details": {"name": name, "kind": kind} | ({"group": group} if group else {}),
    }
    assert reply.status == 404


def test_every_answer_has_an_audit_id_of_its_own(place):
    """Answers and refusals alike can be found again in the server's audit log."""
    replies = [place.wire.send("GET", path) for path in ("/version", "/version", f"{DEPLOYMENTS}/nobody")]

    ids = {reply.headers["Audit-Id"] for reply in replies}
    assert len(ids) == 3
    assert all(len(one) == 36 for one in ids)


@pytest.mark.parametrize("path", ["/version", f"{DEPLOYMENTS}/nobody"])
def test_a_bad_token_is_refused_everywhere(place, path):
    """A token that is no token, or was changed, is 401 with no word why."""
    good = place.tokens["planner"]
    head, _, signature = good.rpartition(".")

    for bad in ("nonsense", "a.b.c", f"{head}.{signature[:-4]}AAAA", f"{head}."):
        assert place.wire.speaking_as(bad).send("GET", path).refusal == UNAUTHORIZED


def test_without_a_credential_one_is_nobody(place):
    """A request without a token is refused by right, not by identity: the anonymous user may do nothing."""
    reply = Wire(place.wire.server, place.wire.ca).send("GET", f"{DEPLOYMENTS}/web")

    assert reply.status == 403
    assert reply.body["message"].startswith('deployments.apps "web" is forbidden: User "system:anonymous" cannot get')


@pytest.mark.parametrize(
    ("method", "path", "message", "details"),
    [
        (
            "GET",
            f"{DEPLOYMENTS}/web",
            (
                'deployments.apps "web" is forbidden: User "{user}" cannot get resource "deployments" in API group "apps" '
                'in the namespace "contract"'
            ),
            {"name": "web", "group": "apps", "kind": "deployments"},
        ),
        (
            "PATCH",
            f"{STATEFUL_SETS}/web/scale",
            (
                'statefulsets.apps "web" is forbidden: User "{user}" cannot patch resource "statefulsets/scale" in API group '
                '"apps" in the namespace "contract"'
            ),
            {"name": "web", "group": "apps", "kind": "statefulsets"},
        ),
        (
            "GET",
            AUTOSCALERS,
            (
                'horizontalpodautoscalers.autoscaling is forbidden: User "{user}" cannot list resource '
                '"horizontalpodautoscalers" in API group "autoscaling" in the namespace "contract"'
            ),
            {"group": "autoscaling", "kind": "horizontalpodautoscalers"},
        ),
        (
            "GET",
            "/api/v1/namespaces/kube-system",
            (
                'namespaces "kube-system" is forbidden: User "{user}" cannot get resource "namespaces" in API group "" '
                'in the namespace "kube-system"'
            ),
            {"name": "kube-system", "kind": "namespaces"},
        ),
        (
            "GET",
            "/api/v1/namespaces",
            'namespaces is forbidden: User "{user}" cannot list resource "namespaces" in API group "" at the cluster scope',
            {"kind": "namespaces"},
        ),
        (
            "POST",
            f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/planner/token",
            (
                'serviceaccounts "planner" is forbidden: User "{user}" cannot create resource "serviceaccounts/token" in API '
                'group "" in the namespace "contract"'
            ),
            {"name": "planner", "kind": "serviceaccounts"},
        ),
    ],
)
def test_who_has_no_right_is_forbidden(place, method, path, message, details):
    """An account may do what its rules say and nothing else; the refusal names account, verb and resource."""
    reply = place.as_account("nothing").send(method, path, {} if method != "GET" else None)

    user = f"system:serviceaccount:{NAMESPACE}:nothing"
    wanted = {"code": 403, "reason": "Forbidden", "message": message.format(user=user), "details": details}
    assert reply.refusal == wanted


def test_a_right_by_name_holds_for_that_name_only(place):
    """A rule with resource names lets nothing else pass, and the right to a scale is none to its object."""
    tokens = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    path = place.workload(settled=False)

    minted = place.as_account("minter").post(f"{tokens}/planner/token", {"spec": {"expirationSeconds": 600}})
    other = place.as_account("minter").post(f"{tokens}/scaler/token", {"spec": {"expirationSeconds": 600}})

    assert (minted.status, other.status) == (201, 403)
    assert place.as_account("scaler").send("GET", f"{path}/scale").status == 200
    assert place.as_account("scaler").send("GET", path).status == 403


def pods(place, path, **narrowed):
    """Return the answer to a list of the pods of the workload at *path*."""
    query = urlencode({"labelSelector": f"app={path.rpartition('/')[2]}", **narrowed})
    return place.as_account("watcher").get(f"/api/v1/namespaces/{NAMESPACE}/pods?{query}")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_pods_of_a_workload_can_be_listed(place, kind):
    """By label, each with the owner by which it is told from others, and with the state that it is in."""
    path = place.workload(kind, replicas=2)
    workload = place.wire.get(path)

    listed = pods(place, path)

    assert (listed["kind"], listed["apiVersion"], len(listed["items"])) == ("PodList", "v1", 2)
    for pod in listed["items"]:
        (owner,) = pod["metadata"]["ownerReferences"]
        ready = [one["status"] for one in pod["status"]["conditions"] if one["type"] == "Ready"]
        template = pod["metadata"]["labels"].get("pod-template-hash")
        name = workload["metadata"]["name"]
        wanted = ("ReplicaSet", f"{name}-{template}") if kind == "Deployment" else ("StatefulSet", name)
        assert ("kind" in pod, owner["kind"], owner["name"], owner["controller"]) == (False, *wanted, True)
        assert kind == "Deployment" or owner["uid"] == workload["metadata"]["uid"]
        assert (pod["status"]["phase"], ready) == ("Running", ["True"])


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_pod_whose_image_cannot_be_pulled_says_so(place, kind):
    """Its container waits, and gives the reason."""
    path = place.workload(kind, replicas=1, labels={"devcluster.countersign.dev/pull": "fails"}, settled=False)

    def reasons():
        statuses = [one for pod in pods(place, path)["items"] for one in pod["status"].get("containerStatuses", ())]
        return [one["state"].get("waiting", {}).get("reason") for one in statuses]

    wait_until(lambda: reasons() == ["ImagePullBackOff"], what="the pod says what it waits for", within_s=20.0)


def test_a_list_of_pods_can_be_bounded(place):
    """One page of it says that there are more."""
    listed = pods(place, place.workload(replicas=2), limit=1)

    assert (len(listed["items"]), bool(listed["metadata"]["continue"])) == (1, True)


def test_events_can_be_picked_by_what_they_are_about(place):
    """Nothing happened to an object that is not there."""
    query = urlencode({"fieldSelector": "involvedObject.uid=none,type=Warning", "limit": 5})

    listed = place.as_account("watcher").get(f"/api/v1/namespaces/{NAMESPACE}/events?{query}")

    assert (listed["kind"], listed["apiVersion"], listed["items"]) == ("EventList", "v1", [])


def test_pods_and_events_need_a_right(place):
    """Whoever may read workloads may not list them."""
    for resource in ("pods", "events"):
        assert place.as_account("editor").send("GET", f"/api/v1/namespaces/{NAMESPACE}/{resource}").status == 403
