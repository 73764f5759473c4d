"""What the real cluster must be able to do, because other tests take it for granted."""

import json
import time
from itertools import count

import pytest

from sandbox import devcluster
from tests.sandbox.devcluster import api
from tests.waiting import wait_until

_NUMBERS = count(1)


@pytest.fixture
def kube(real_cluster):
    """The API as administrator."""
    with api.administrator(real_cluster) as kube:
        yield kube


@pytest.fixture
def namespace(kube):
    """The name of a fresh namespace."""
    name = f"devcluster-test-{next(_NUMBERS)}"
    kube.create("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


def _deployment(*, replicas=2, labels=None, progress_deadline_s=600):
    return {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": progress_deadline_s,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web", **(labels or {})}},
                "spec": {"containers": [{"name": "web", "image": "registry.example/web:1"}]},
            },
        },
    }


def _deployments(namespace):
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


def _has_rolled_out(kube, namespace, *, replicas):
    deployment = kube.get(f"{_deployments(namespace)}/web")
    status = deployment["status"]
    return (
        status.get("observedGeneration"),
        status.get("updatedReplicas"),
        status.get("availableReplicas"),
        status.get("replicas"),
    ) == (deployment["metadata"]["generation"], replicas, replicas, replicas)


def test_it_is_the_release_that_it_says(kube):
    """Server and package agree on the version, so features gated by version are those of that release."""
    assert kube.get("/version")["gitVersion"] == devcluster.VERSION


def test_two_nodes_of_four_cores_are_ready(kube):
    """Both nodes take pods, and their size is what capacity tests count on."""
    nodes = kube.get("/api/v1/nodes")["items"]

    assert [(node["metadata"]["name"], node["status"]["allocatable"]) for node in nodes] == [
        ("devcluster-node-0", {"cpu": "4", "memory": "16Gi", "pods": "250"}),
        ("devcluster-node-1", {"cpu": "4", "memory": "16Gi", "pods": "250"}),
    ]
    assert {
        condition["status"]
        for node in nodes
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    } == {"True"}


def test_a_deployment_rolls_out_and_scales(kube, namespace):
    """Controllers, scheduler and nodes do their part: pods become ready, and the scale subresource adds more."""
    kube.create(_deployments(namespace), _deployment(replicas=2))
    wait_until(lambda: _has_rolled_out(kube, namespace, replicas=2), what="two pods are available", within_s=60)

    scaled = kube.merge(f"{_deployments(namespace)}/web/scale", {"spec": {"replicas": 5}})

    assert scaled["spec"] == {"replicas": 5}
    wait_until(lambda: _has_rolled_out(kube, namespace, replicas=5), what="five pods are available", within_s=60)
    nodes = {pod["spec"]["nodeName"] for pod in kube.get(f"/api/v1/namespaces/{namespace}/pods")["items"]}
    assert nodes  # On which of them is the scheduler's business.
    assert nodes <= {"devcluster-node-0", "devcluster-node-1"}


def test_a_stateful_set_rolls_out_in_order(kube, namespace):
    """The other scalable kind works too: each pod waits for the one before it."""
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    spec = _deployment(replicas=2)["spec"] | {"serviceName": "web"}
    del spec["progressDeadlineSeconds"]
    kube.create(path, {"metadata": {"name": "web"}, "spec": spec})

    wait_until(
        lambda: kube.get(f"{path}/web")["status"].get("readyReplicas") == 2, what="both pods are ready", within_s=60
    )

    pods = kube.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    assert sorted(pod["metadata"]["name"] for pod in pods) == ["web-0", "web-1"]


def test_a_rollout_fails_on_purpose(kube, namespace):
    """Pods with the label wait for their image for ever, and the Deployment reports that its deadline passed."""
    broken = {"devcluster.countersign.dev/pull": "fails"}
    kube.create(_deployments(namespace), _deployment(replicas=1))
    wait_until(lambda: _has_rolled_out(kube, namespace, replicas=1), what="one pod is available", within_s=60)

    kube.merge(
        f"{_deployments(namespace)}/web",
        {"spec": {"progressDeadlineSeconds": 3, "template": {"metadata": {"labels": broken}}}},
    )

    def progress():
        conditions = kube.get(f"{_deployments(namespace)}/web")["status"]["conditions"]
        return next((c["status"], c["reason"]) for c in conditions if c["type"] == "Progressing")

    wait_until(lambda: progress() == ("False", "ProgressDeadlineExceeded"), what="the rollout has failed", within_s=60)
    new_pods = kube.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector=devcluster.countersign.dev/pull=fails")
    (container,) = new_pods["items"][0]["status"]["containerStatuses"]
    assert container["state"] == {
        "waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "registry.example/web:1"'}
    }
    assert container["ready"] is False


def _pod(name, *, labels):
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "web", "image": "registry.example/web:1"}],
        },
    }


@pytest.fixture
def stuck_pod(kube, namespace):
    """The path of a pod that waits for its image and is more than a second old, so that "now" has another value."""
    path = f"/api/v1/namespaces/{namespace}/pods/stuck"
    wait_until(
        lambda: kube.call("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")[0] == 200,
        what="pods may be made",
    )
    kube.create(path.removesuffix("/stuck"), _pod("stuck", labels={"devcluster.countersign.dev/pull": "fails"}))
    wait_until(lambda: kube.get(path)["status"].get("containerStatuses"), what="the pod waits", within_s=60)
    written_at = time.monotonic()
    wait_until(lambda: time.monotonic() - written_at > 1.1, what="the clock shows another second")
    return path


def test_a_failing_pod_is_written_only_once(kube, stuck_pod):
    """The stage plays again on every change of the pod, and must not answer each with a write of its own."""
    labelled = kube.merge(stuck_pod, {"metadata": {"labels": {"other": "label"}}})["metadata"]["resourceVersion"]
    pods = stuck_pod.removesuffix("/stuck")
    kube.create(pods, _pod("later", labels={}))

    wait_until(
        lambda: kube.get(f"{pods}/later")["status"].get("phase") == "Running",
        what="a pod that came later runs, so the earlier change has been seen",
        within_s=60,
    )

    assert kube.get(stuck_pod)["metadata"]["resourceVersion"] == labelled


def test_a_failing_pod_can_be_deleted(kube, stuck_pod):
    """What keeps a pod waiting does not keep it from going."""
    kube.call("DELETE", stuck_pod)

    wait_until(lambda: kube.call("GET", stuck_pod)[0] == 404, what="the pod is gone", within_s=60)


@pytest.fixture
def token_of(kube, namespace):
    """A function that asks for a token of a fresh account without rights, for so many seconds."""

    def request(seconds):
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        return kube.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/robot/token", body)

    kube.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "robot"}})
    return request


def test_a_token_lives_ten_minutes_at_least(token_of):
    """600 seconds is granted and 599 refused: the least life that an execution can ask for."""
    assert [token_of(seconds)[0] for seconds in (600, 599)] == [201, 422]


def test_a_token_is_its_account_and_may_do_nothing(real_cluster, namespace, token_of):
    """A minted token is accepted as the account it names; without a role, reading pods is refused."""
    _, minted = token_of(600)

    with api.bearer(real_cluster, minted["status"]["token"]) as robot:
        review = robot.create(
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        )
        refused, _ = robot.call("GET", f"/api/v1/namespaces/{namespace}/pods")

    assert (review["status"]["userInfo"]["username"], refused) == (
        f"system:serviceaccount:{namespace}:robot",
        403,
    )


def test_the_audit_log_names_the_token_and_never_holds_it(real_cluster, namespace, token_of):
    """Issue and use can be joined by the token's id; bodies are not recorded, so no credential lies in a file."""
    _, minted = token_of(600)
    token = minted["status"]["token"]
    with api.bearer(real_cluster, token) as robot:
        robot.call("GET", f"/api/v1/namespaces/{namespace}/pods")

    def events():
        lines = real_cluster.audit_log.read_text().splitlines()
        return [event for event in map(json.loads, lines) if event.get("objectRef", {}).get("namespace") == namespace]

    def used():
        return [event for event in events() if event["user"]["username"].endswith(":robot")]

    wait_until(used, what="the use is in the audit log")
    issued = next(event for event in events() if event["objectRef"].get("subresource") == "token")
    assert (
        issued["annotations"]["authentication.kubernetes.io/issued-credential-id"]
        in (used()[0]["user"]["extra"]["authentication.kubernetes.io/credential-id"])
    )
    assert {event["level"] for event in events()} == {"Metadata"}
    assert token not in real_cluster.audit_log.read_text()


def test_an_admission_policy_is_enforced(kube, namespace):
    """ValidatingAdmissionPolicy works: a rule bound to one namespace refuses what it forbids, with its own words."""
    policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    kube.create(
        policies,
        {
            "metadata": {"name": namespace},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": "false", "message": "not here", "reason": "Forbidden"}],
            },
        },
    )
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    kube.create(
        f"{policies[: -len('policies')]}policybindings",
        {
            "metadata": {"name": namespace},
            "spec": {
                "policyName": namespace,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": selector},
            },
        },
    )

    def attempt():
        return kube.call(
            "POST", f"/api/v1/namespaces/{namespace}/configmaps?dryRun=All", {"metadata": {"generateName": "x-"}}
        )

    wait_until(lambda: attempt()[0] == 403, what="the policy has taken hold", within_s=30)
    assert "not here" in attempt()[1]["message"]
