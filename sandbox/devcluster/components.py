"""The command line of each part, and the address that tells whether it is healthy.

Every flag that is not the program's default is here with its reason. Starting and watching the
programs is :mod:`sandbox.devcluster.supervisor`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.devcluster import kubeconfig
from sandbox.devcluster.build import Programs
from sandbox.devcluster.layout import Layout
from sandbox.devcluster.ports import LOOPBACK, Ports
from sandbox.devcluster.recipe import SOURCE

AUDIT_POLICY = SOURCE / "manifests" / "audit-policy.yaml"
PULL_FAILS_STAGE = SOURCE / "manifests" / "pull-fails.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A program to run: its name, arguments, and the address that answers 200 when it is ready."""

    name: str
    argv: tuple[str, ...]
    health: str


def in_order(layout: Layout, programs: Programs, ports: Ports) -> tuple[Component, ...]:
    """Return the parts in the order in which they need each other.

    Writes the kubeconfig files and the stages that they read; the PKI must be there already.
    """
    server = f"https://{LOOPBACK}:{ports.api_server}"
    clients = {
        user: kubeconfig.write(layout.directory / f"{user}.kubeconfig", layout=layout, server=server, user=user)
        for user in ("controller-manager", "scheduler", "kwok")
    }
    layout.stages.write_text("\n---\n".join(path.read_text() for path in [*programs.stage_files(), PULL_FAILS_STAGE]))
    return (
        _component(programs, "etcd", _etcd(layout, ports), f"https://{LOOPBACK}:{ports.etcd}/readyz"),
        _component(programs, "kube-apiserver", _api_server(layout, ports), f"{server}/readyz"),
        _component(
            programs,
            "kube-controller-manager",
            _controller_manager(layout, ports, clients["controller-manager"]),
            f"https://{LOOPBACK}:{ports.controller_manager}/healthz",
        ),
        _component(
            programs,
            "kube-scheduler",
            _scheduler(layout, ports, clients["scheduler"]),
            f"https://{LOOPBACK}:{ports.scheduler}/readyz",
        ),
        _component(programs, "kwok", _kwok(layout, ports, clients["kwok"]), f"https://{LOOPBACK}:{ports.kwok}/healthz"),
    )


def _component(programs: Programs, name: str, flags: Mapping[str, object], health: str) -> Component:
    argv = (str(programs.path(name)), *(f"--{flag}={value}" for flag, value in flags.items()))
    return Component(name=name, argv=argv, health=health)


def _etcd(layout: Layout, ports: Ports) -> dict[str, object]:
    client, peer = f"https://{LOOPBACK}:{ports.etcd}", f"https://{LOOPBACK}:{ports.etcd_peer}"
    trust = {"cert-file": layout.certificate("serving"), "key-file": layout.key("serving")}
    return {
        "name": "devcluster",
        "data-dir": layout.etcd,
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"devcluster={peer}",
        # Whoever may write to etcd is above all of Kubernetes' rules, and loopback is open to every local user.
        "client-cert-auth": "true",
        "trusted-ca-file": layout.certificate("ca"),
        "peer-client-cert-auth": "true",
        "peer-trusted-ca-file": layout.certificate("ca"),
        **trust,
        **{f"peer-{flag}": path for flag, path in trust.items()},
        # Not durable, several times faster: the data lives no longer than the cluster.
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }


def _api_server(layout: Layout, ports: Ports) -> dict[str, object]:
    return {
        "bind-address": LOOPBACK,
        "advertise-address": LOOPBACK,
        "secure-port": ports.api_server,
        "etcd-servers": f"https://{LOOPBACK}:{ports.etcd}",
        "etcd-cafile": layout.certificate("ca"),
        "etcd-certfile": layout.certificate("etcd-client"),
        "etcd-keyfile": layout.key("etcd-client"),
        **_serving(layout),
        "client-ca-file": layout.certificate("ca"),
        "authorization-mode": "Node,RBAC",
        # An endpoint object may not hold a loopback address; nothing in the cluster looks for one.
        "endpoint-reconciler-type": "none",
        "service-cluster-ip-range": "10.96.0.0/16",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": layout.pki / "service-account.pub",
        "service-account-signing-key-file": layout.key("service-account"),
        "requestheader-client-ca-file": layout.certificate("front-proxy-ca"),
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": layout.certificate("front-proxy-client"),
        "proxy-client-key-file": layout.key("front-proxy-client"),
        "kubelet-certificate-authority": layout.certificate("ca"),
        "kubelet-client-certificate": layout.certificate("kubelet-client"),
        "kubelet-client-key": layout.key("kubelet-client"),
        "kubelet-preferred-address-types": "InternalIP",
        "audit-policy-file": AUDIT_POLICY,
        "audit-log-path": layout.audit_log,
        # Megabytes: a cluster that runs for weeks keeps two files of this size, no more.
        "audit-log-maxsize": "100",
        "audit-log-maxbackup": "1",
        "profiling": "false",
    }


def _controller_manager(layout: Layout, ports: Ports, client: Path) -> dict[str, object]:
    return {
        "kubeconfig": client,
        "bind-address": LOOPBACK,
        "secure-port": ports.controller_manager,
        **_serving(layout),
        # One replica, and nobody to take over: an election would only delay the start.
        "leader-elect": "false",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": layout.key("service-account"),
        "root-ca-file": layout.certificate("ca"),
        # No cloud and no pod network to manage. Node lifecycle stays on: it takes the not-ready taint off.
        "controllers": "*,-node-ipam-controller,-node-route-controller,-service-lb-controller,"
        "-cloud-node-lifecycle-controller",
        # The default is a folder under /usr, and the attach-detach controller makes it.
        "flex-volume-plugin-dir": layout.directory / "home" / "flexvolume",
        # Each controller asks for a token of its own at start; at the default 20 a second that took 3 s.
        "kube-api-qps": "200",
        "kube-api-burst": "400",
        # At the default 15 s whoever tries out an autoscaler would wait most of the time.
        "horizontal-pod-autoscaler-sync-period": "1s",
        "profiling": "false",
    }


def _scheduler(layout: Layout, ports: Ports, client: Path) -> dict[str, object]:
    return {
        "kubeconfig": client,
        "bind-address": LOOPBACK,
        "secure-port": ports.scheduler,
        **_serving(layout),
        "leader-elect": "false",
        "profiling": "false",
    }


def _kwok(layout: Layout, ports: Ports, client: Path) -> dict[str, object]:
    return {
        "kubeconfig": client,
        "config": layout.stages,
        "manage-all-nodes": "true",
        "node-ip": LOOPBACK,
        "node-port": ports.kwok,
        "server-address": f"{LOOPBACK}:{ports.kwok}",
        # Without leases the node lifecycle controller marks every node NotReady after 50 s.
        "node-lease-duration-seconds": "40",
        **_serving(layout),
    }


def _serving(layout: Layout) -> dict[str, object]:
    return {"tls-cert-file": layout.certificate("serving"), "tls-private-key-file": layout.key("serving")}
