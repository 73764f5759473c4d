"""Neighbours: installations and demos on one cluster, applied in any order, several times. No fence becomes narrower for it."""

import sys
from itertools import permutations
from pathlib import Path

import pytest

from approvals.identity import accounts
from approvals.verbs.restart import REQUEST_ID, RESTARTED_AT
from bot.cluster.client.answers import HttpReply
from bot.cluster.client.sources import Source
from bot.cluster.rights.access import Grant, grants_of
from bot.cluster.rights.install import Administrator
from bot.cluster.rights.manifests import manifests
from bot.policies import read_policy
from sandbox.demo.show import own_command, write_policy
from tests.bot.cluster.stages import AGENT, RealGround, Stage, workload
from tests.fixtures.installation import collection_of
from tests.sandbox.devcluster.api import bearer

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.fixture
def apply_anew(broken_in):
    """Apply documents as ``kubectl apply --server-side`` does, over whatever is there."""

    def apply_all(documents):
        source = Source(kubeconfig=broken_in.cluster.kubeconfig, context=broken_in.cluster.context)
        with Administrator(source) as line:
            line.apply(documents)

    return apply_all


@pytest.fixture
def neighbours(broken_in, tmp_path):
    """By name: what three neighbours in one namespace apply. Their cluster-wide objects go when the test ends."""
    grants = broken_in.grants
    other = accounts.Installation(name=f"{broken_in.ours.name}b")
    demo, _ = read_policy(write_policy(tmp_path))
    own = {
        "ours": manifests(grants, broken_in.ours),
        "another team's": manifests((Grant(agent=AGENT, namespace=broken_in.namespace, verbs=("scale",)),), other),
        "a demo's": manifests(grants_of(demo, demo.environments["demo"].cluster), demo.installation),
    }
    for name in ("shop", "payments"):
        broken_in.admin.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield own
    for document in (*own["another team's"], *own["a demo's"]):
        if document["kind"].startswith(("ValidatingAdmissionPolicy", "Cluster")):
            broken_in.admin.call("DELETE", f"{collection_of(document)}/{document['metadata']['name']}")


def test_no_order_of_applying_loosens_a_fence(broken_in, neighbours, apply_anew):
    """Ours, another team's, a demo's, in each order: an executor with too many rights still changes no image."""
    ground = RealGround(broken_in)
    target = Stage.on(ground).settled(workload())
    path = ground.path("Deployment", target.name)
    executors = [broken_in.ours.executor(AGENT, verb, broken_in.namespace) for verb in ("scale", "restart")]
    for account in executors:
        _bind_edit(broken_in, account)
    container = ground.get("Deployment", target.name)["spec"]["template"]["spec"]["containers"][0]["name"]
    image = {"spec": {"template": {"spec": {"containers": [{"name": container, "image": "evil"}]}}}}
    restart = {
        "metadata": {"annotations": {REQUEST_ID: "esc_1"}},
        "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: "2026-11-20T12:00:00Z"}}}},
    }

    refused = set()
    for order in permutations(neighbours):
        for name in order:
            apply_anew(neighbours[name])
        for account in executors:
            with bearer(broken_in.cluster, broken_in.token(account)) as api:
                answer = _answer(api.call("PATCH", path, image, content_type=STRATEGIC))
            refused.add((answer.status, answer.fenced_by))
    with bearer(broken_in.cluster, broken_in.token(executors[1])) as api:
        restarted, _ = api.call("PATCH", path, restart, content_type=MERGE)

    assert refused == {(403, f"{broken_in.name}-executors")}
    assert restarted == 200


def test_neighbours_share_no_object(neighbours):
    """Whatever the three apply bears a name of its own, so nothing takes another's place."""
    names = {
        whose: {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in documents}
        for whose, documents in neighbours.items()
    }
    ours, others, demos = names.values()

    assert ours & others == ours & demos == others & demos == set()


def test_no_two_demos_are_one(tmp_path):
    """Each demo takes a name of its own; one that is started again in its folder keeps it."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()

    one, two, again = (read_policy(write_policy(folder))[0].installation.name for folder in (*folders, folders[0]))

    assert one != two
    assert one == again


def test_the_demo_names_a_command_that_is_there(monkeypatch):
    """Without a `countersign` on the PATH, the line that looks at the demo names the one beside the interpreter."""
    monkeypatch.setenv("PATH", "/nonexistent")

    assert own_command() == str(Path(sys.executable).with_name("countersign"))


def _bind_edit(installation, account):
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{installation.namespace}"
    rule = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch", "update"]}
    installation.admin.create(f"{rbac}/roles", {"metadata": {"name": f"more-{account.name}"}, "rules": [rule]})
    installation.admin.create(
        f"{rbac}/rolebindings",
        {
            "metadata": {"name": f"more-{account.name}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": f"more-{account.name}"},
            "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
        },
    )


def _answer(called):
    status, body = called
    return HttpReply(status=status, body=body)
