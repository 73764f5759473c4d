"""The ground under the stories: a real cluster with the bot's accounts and fences in it, and workloads of each story's own."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.clock import utc_now
from bot.cluster.client.sources import Source
from bot.cluster.door import KubernetesCluster
from bot.cluster.rights.access import grants_of
from bot.cluster.rights.install import Administrator
from bot.cluster.rights.manifests import manifests
from bot.policies import read_policy
from sandbox import devcluster
from sandbox.cluster import deployment
from tests.acceptance.place import POLICY
from tests.sandbox.devcluster.api import Api, administrator
from tests.waiting import wait_until

CLUSTER = "main"
NAMESPACES = ("shop", "payments")
_FENCES = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The cluster: *kubeconfig* yields the bot's own account, *admin* may do everything."""

    cluster: devcluster.Cluster
    admin: Api
    kubeconfig: Path

    @property
    def settings(self) -> dict[str, str]:
        """What the bot has to be told of this cluster."""
        return {"COUNTERSIGN_KUBECONFIG": str(self.kubeconfig)}

    def new_deployment(self, namespace: str = "shop", *, replicas: int = 2, **more: Any) -> str:
        """Make a Deployment that nobody else uses, wait until its pods run (unless they cannot), and return its name."""
        name = f"web-{uuid.uuid4().hex[:8]}"
        self.admin.create(_path(namespace), deployment(namespace, name, replicas=replicas, **more))
        if not more.get("pull_fails"):
            wait_until(lambda: self.ready(name, namespace) == replicas, what="the pods run", within_s=30.0)
        return name

    def get(self, name: str, namespace: str = "shop") -> Any:
        """Return a Deployment as it is."""
        return self.admin.get(_path(namespace, name))

    def replicas(self, name: str, namespace: str = "shop") -> int:
        """Return how many pods it asks for."""
        return int(self.get(name, namespace)["spec"]["replicas"])

    def ready(self, name: str, namespace: str = "shop") -> int:
        """Return how many of its pods are ready."""
        return int(self.get(name, namespace)["status"].get("readyReplicas", 0))

    def somebody_scales(self, name: str, replicas: int, namespace: str = "shop") -> None:
        """Change how many pods it asks for, behind everybody's back."""
        self.admin.merge(_path(namespace, name), {"spec": {"replicas": replicas}})

    def sweep(self) -> None:
        """Delete every workload but the canaries: the simulated nodes have room for 32 pods, and other tests need some."""
        for namespace in NAMESPACES:
            for one in self.admin.get(_path(namespace))["items"]:
                if not one["metadata"]["name"].endswith("-canary"):
                    self.admin.call("DELETE", _path(namespace, one["metadata"]["name"]))

    def remove_fences(self) -> None:
        """Take the admission policies away."""
        policy, _ = read_policy(POLICY)
        self.remove_fences_of(manifests(grants_of(policy, CLUSTER), policy.installation))

    def remove_fences_of(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Take those admission policies away that are among *documents*."""
        for one in documents:
            if plural := _FENCES.get(one["kind"]):
                self.admin.call("DELETE", f"/apis/admissionregistration.k8s.io/v1/{plural}/{one['metadata']['name']}")


def findings(kubeconfig: Path, file: Path = POLICY) -> list[str]:
    """Return what the service would find wrong with the cluster of *file*'s environment ``demo`` now."""
    policy, _ = read_policy(file)
    door = KubernetesCluster(
        {"demo": Source(kubeconfig=kubeconfig)},
        installation=policy.installation,
        mac_key=b"only the checks are asked for",
        now=utc_now,
        version="test",
    )
    found = door.findings("demo", grants_of(policy, policy.environments["demo"].cluster))
    return [one.sentence for one in found if one.is_grave]


def _path(namespace: str, name: str = "") -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments{'/' + name if name else ''}"


@contextmanager
def a_ground(cluster: devcluster.Cluster, folder: Path) -> Iterator[Ground]:
    """Give the cluster with everything installed that the stories' policy needs, as ``countersign manifests`` prints it.

    The admission policies go at the end: they are the cluster's, and other tests' clusters are the same one.
    """
    policy, _ = read_policy(POLICY)
    grants = grants_of(policy, CLUSTER)
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]
    kubeconfig = folder / "bot.kubeconfig"
    with Administrator(Source(kubeconfig=cluster.kubeconfig, context=cluster.context)) as line:
        line.apply([*namespaces, *manifests(grants, policy.installation)])
        line.write_kubeconfig(policy.installation.bot, kubeconfig, good_for=timedelta(hours=2))
    wait_until(lambda: not findings(kubeconfig), what="the fences hold", within_s=30.0, every_s=0.3)
    with administrator(cluster) as admin:
        made = Ground(cluster=cluster, admin=admin, kubeconfig=kubeconfig)
        try:
            yield made
        finally:
            made.remove_fences()
