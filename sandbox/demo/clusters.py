"""The demo's cluster: the one that was named, else the real loopback one where it is built, else the stand-in.

The environment's KUBECONFIG is never looked at: a demo must not reach a cluster that nobody named. What the demo puts in is
a shop of four workloads, and the accounts, roles and admission policies that the bot needs anywhere.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from approvals.errors import Malformed
from approvals.policy.policy import Policy
from bot import clock
from bot.cluster.client.asking import Declined
from bot.cluster.client.connections import Unusable
from bot.cluster.client.sources import Source
from bot.cluster.door import KubernetesCluster
from bot.cluster.rights.access import Grant, grants_of
from bot.cluster.rights.fences import Manifest
from bot.cluster.rights.install import Administrator
from bot.cluster.rights.manifests import manifests
from sandbox.cluster import Seed, StandIn, accounts_of, deployment
from sandbox.cluster.shop import usual_fences

KUBECONFIG_GOOD_FOR: Final = timedelta(hours=24)
FENCES_SECONDS: Final = 15.0
_ENVIRONMENT: Final = "demo"
_NAMESPACES: Final = ("shop", "payments")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCluster:
    """A cluster with the shop in it."""

    description: str
    """Which one it is, for the page, the log and ``status``."""
    kubeconfig: Path
    """The bot's own account's."""
    context: str
    somebody_scales: Callable[[str, str, int], None]
    """Changes a Deployment's number of pods behind everybody's back."""


@contextmanager
def a_cluster(
    directory: Path, policy: Policy, *, kubeconfig: Path | None, context: str | None
) -> Iterator[DemoCluster]:
    """Give the demo's cluster for the length of the block.

    Args:
        directory: Where files may be written.
        policy: The demo's; accounts are made for its agents.
        kubeconfig: An administrator's, of the cluster that was named; None for a local one.
        context: Which context of it; named together with it.

    Raises:
        Malformed: Only one of the two was named, the cluster cannot be used, or a typed yes was not given.
    """
    if (kubeconfig is None) != (context is None):
        raise Malformed("Name the cluster whole: --kubeconfig FILE and --context NAME.", code="cluster_half_named")
    if kubeconfig is not None:
        with _named(directory, policy, Source(kubeconfig=kubeconfig, context=context)) as cluster:
            yield cluster
        return
    with _loopback(directory) as admin:
        if admin is not None:
            description = "the real loopback cluster (make cluster)"
            yield _installed(directory, policy, admin, description)
            return
    with _stand_in(directory, policy) as cluster:
        yield cluster


@contextmanager
def _named(directory: Path, policy: Policy, admin: Source) -> Iterator[DemoCluster]:
    try:
        with Administrator(admin) as line:
            server = line.server()
    except Unusable as error:
        raise Malformed(f"The cluster {admin} cannot be used: {error}.", code="cluster_unusable") from error
    if not _is_loopback(server):
        _ask_for_a_yes(server)
    yield _installed(directory, policy, admin, f"the cluster that was named: {admin}")


def _ask_for_a_yes(server: str) -> None:
    """Return if somebody at the terminal types yes: the demo is about to change a cluster that is not on this machine.

    Raises:
        Malformed: Nobody did.
    """
    sys.stderr.write(
        f"{server} is not on this machine. The demo makes namespaces, accounts, admission policies and workloads there.\n"
    )
    sys.stderr.write("Type yes to go on: ")
    sys.stderr.flush()
    if not sys.stdin.isatty() or sys.stdin.readline().strip() != "yes":
        raise Malformed("Nobody typed yes, so nothing was touched.", code="not_confirmed")


@contextmanager
def _loopback(directory: Path) -> Iterator[Source | None]:
    """Give the administrator of the real loopback cluster, started if need be; None where it was never built."""
    try:
        from sandbox import devcluster  # noqa: PLC0415 - absent where only the product is installed
    except ImportError:
        yield None
        return
    running = devcluster.find(devcluster.persistent_directory())
    if running is not None:
        yield Source(kubeconfig=running.kubeconfig, context=running.context)
    elif devcluster.is_built():
        with devcluster.running(directory / "cluster") as started:
            yield Source(kubeconfig=started.kubeconfig, context=started.context)
    else:
        yield None


def _installed(directory: Path, policy: Policy, admin: Source, description: str) -> DemoCluster:
    """Put accounts and the shop into a real cluster, and return it."""
    kubeconfig = directory / "bot.kubeconfig"
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in _NAMESPACES]
    try:
        with Administrator(admin) as line:
            line.apply([*namespaces, *_manifests(policy), *_shop()])
            line.write_kubeconfig(policy.installation.bot, kubeconfig, good_for=KUBECONFIG_GOOD_FOR)
    except Declined as refusal:
        raise Malformed(
            f"The cluster does not let this account put in what the demo needs ({refusal}). Name an administrator's.",
            code="not_administrator",
        ) from refusal
    _wait_for_fences(kubeconfig, policy)

    def somebody_scales(namespace: str, name: str, replicas: int) -> None:
        with Administrator(admin) as line:
            line.scale(namespace, name, replicas)

    return DemoCluster(
        description=description, kubeconfig=kubeconfig, context="countersign", somebody_scales=somebody_scales
    )


def _wait_for_fences(kubeconfig: Path, policy: Policy) -> None:
    """Return when the cluster is as the service wants it: a server needs about a second to notice new admission policies.

    What is not right by then, the service will name when it refuses to start.
    """
    cluster = KubernetesCluster(
        {_ENVIRONMENT: Source(kubeconfig=kubeconfig)},
        installation=policy.installation,
        mac_key=clock.new_key(),
        now=clock.utc_now,
        version=version("countersign"),
    )
    grants = _grants(policy)
    until = time.monotonic() + FENCES_SECONDS
    while any(one.is_grave for one in cluster.findings(_ENVIRONMENT, grants)) and time.monotonic() < until:
        clock.wait(0.2)


@contextmanager
def _stand_in(directory: Path, policy: Policy) -> Iterator[DemoCluster]:
    documents, installation = tuple(_manifests(policy)), policy.installation
    accounts = accounts_of(documents)
    bot = next(account for account in accounts if account.username == installation.bot.username)
    canaries = tuple(one for one in documents if one["kind"] == "Deployment")
    seed = Seed(
        namespaces=(installation.namespace, *_NAMESPACES),
        workloads=(*_shop(), *canaries),
        accounts=accounts,
        fences=usual_fences(bot, accounts, prefix=installation.prefix),
        declared=documents,
        user=bot,
    )
    with StandIn(directory / "stand-in", seed) as cluster:
        yield DemoCluster(
            description="a small stand-in that speaks the API server's protocol (run `make cluster` for a real one)",
            kubeconfig=cluster.kubeconfig,
            context=cluster.context,
            somebody_scales=lambda namespace, name, replicas: _scale(cluster, namespace, name, replicas),
        )


def _grants(policy: Policy) -> tuple[Grant, ...]:
    return grants_of(policy, policy.environments[_ENVIRONMENT].cluster)


def _manifests(policy: Policy) -> list[Manifest]:
    return manifests(_grants(policy), policy.installation)


def _scale(cluster: StandIn, namespace: str, name: str, replicas: int) -> None:
    cluster.scale("Deployment", namespace, name, replicas, manager="somebody")


def _shop() -> tuple[Mapping[str, Any], ...]:
    return (
        deployment("shop", "checkout", replicas=3, env={"PAYMENT_URL": "https://pay.example"}),
        deployment("shop", "search", replicas=2),
        deployment("shop", "reports", replicas=1),
        deployment("shop", "imports", replicas=2),
        deployment("payments", "ledger", replicas=2),
    )


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
