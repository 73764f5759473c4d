"""A small stand-in for a Kubernetes API server, on loopback, for the instant demo and for fault injection.

It speaks the API's protocol over HTTP, so that any client runs against its kubeconfig file unchanged, and offers what
scaling and restarting a Deployment or a StatefulSet needs, accounts and tokens included. Everything else is answered
501. Whatever depends on what a real server means by it is proven on the real loopback cluster; what both answer, one
contract suite holds them to. It imports nothing of ours and no Kubernetes client, so that it cannot share our
mistakes. ``python -m sandbox.cluster`` starts one to look at; the demo and the tests make their own::

    with StandIn(directory, Seed(namespaces=("shop",), workloads=(deployment("shop", "checkout"),))) as cluster:
        ...  # point a client at cluster.kubeconfig, context cluster.context
        cluster.inject(Reset(applied=True), on=WRITE)
"""

from sandbox.cluster.faults import (
    ANYTHING,
    DRY_RUN,
    MINT,
    READ,
    WRITE,
    Answered,
    Cut,
    Delay,
    Fault,
    Garbage,
    Hold,
    Injected,
    Meanwhile,
    On,
    Reset,
    answered,
)
from sandbox.cluster.journal import Entry
from sandbox.cluster.manifests import accounts_of
from sandbox.cluster.plausible import autoscaler, deployment, stateful_set
from sandbox.cluster.refusals import Refused
from sandbox.cluster.rollout import PULL_FAILS
from sandbox.cluster.seed import Account, DryRunOnly, Fence, FieldFence, MinterFence, Rule, Seed, TokenFence
from sandbox.cluster.shop import shop_seed, usual_fences
from sandbox.cluster.standin import StandIn

__all__ = [
    "ANYTHING",
    "DRY_RUN",
    "MINT",
    "PULL_FAILS",
    "READ",
    "WRITE",
    "Account",
    "Answered",
    "Cut",
    "Delay",
    "DryRunOnly",
    "Entry",
    "Fault",
    "Fence",
    "FieldFence",
    "Garbage",
    "Hold",
    "Injected",
    "Meanwhile",
    "MinterFence",
    "On",
    "Refused",
    "Reset",
    "Rule",
    "Seed",
    "StandIn",
    "TokenFence",
    "accounts_of",
    "answered",
    "autoscaler",
    "deployment",
    "shop_seed",
    "stateful_set",
    "usual_fences",
]
