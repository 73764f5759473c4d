"""The example seed: a small shop's cluster, and the accounts that an approval bot would have in it.

For ``python -m sandbox.cluster`` and for whoever wants a cluster without thinking of one. Names of accounts, rights
and fences are written out here once more, as they are meant, and taken from nobody.
"""

from collections.abc import Mapping
from typing import Final

from sandbox.cluster.identities import AUDIENCE
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.plausible import autoscaler, deployment, stateful_set
from sandbox.cluster.seed import Account, DryRunOnly, Fence, FieldFence, MinterFence, Rule, Seed, TokenFence

BOT: Final = "countersign"
"""The namespace of the bot's own account, and that account's name."""

_WORKLOADS: Final = ("deployments", "statefulsets")
_SCALES: Final = ("deployments/scale", "statefulsets/scale")
_REQUEST_ID: Final = "/metadata/annotations/countersign.dev~1request-id"
_REPLICAS: Final = "/spec/replicas"
_REPLICAS_MOST: Final = 1000
_RESTARTED_AT: Final = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"
_RESTART_FORMS: Final = {_REQUEST_ID: r"[A-Za-z0-9_]{1,64}", _RESTARTED_AT: r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"}


def shop_seed(*, agent: str = "sre", namespace: str = "shop") -> Seed:
    """Return a cluster with a few workloads in *namespace* and the accounts of one *agent*; its user is the bot."""
    accounts = _agent_accounts(agent, namespace)
    bot = _bot_account(namespace, accounts)
    return Seed(
        namespaces=(BOT, namespace),
        workloads=_workloads(namespace),
        autoscalers=(autoscaler(namespace, "search", least=2, most=8),),
        accounts=(bot, *accounts),
        fences=usual_fences(bot, accounts),
        user=bot,
    )


def _workloads(namespace: str) -> tuple[JsonObject, ...]:
    return (
        deployment(namespace, "checkout", replicas=3, env={"PAYMENT_URL": "https://pay.example"}),
        deployment(namespace, "search", replicas=2),
        deployment(namespace, "reports", replicas=1, labels={"argocd.argoproj.io/instance": "reports"}),
        deployment(namespace, "imports", replicas=2, pull_fails=True, progress_deadline_seconds=5),
        stateful_set(namespace, "ledger", replicas=2),
    )


def _agent_accounts(agent: str, namespace: str) -> tuple[Account, ...]:
    read = Rule(groups=("apps",), resources=_WORKLOADS, verbs=("get",), namespace=namespace)
    edit = Rule(groups=("apps",), resources=_WORKLOADS, verbs=("get", "patch"), namespace=namespace)
    scale = Rule(groups=("apps",), resources=_SCALES, verbs=("get", "patch"), namespace=namespace)
    scalers = Rule(
        groups=("autoscaling",), resources=("horizontalpodautoscalers",), verbs=("list",), namespace=namespace
    )
    held = {
        f"plan-{agent}": (edit, scale, scalers, _identity_rule()),
        f"exec-{agent}-scale": (scale,),
        f"exec-{agent}-restart": (edit,),
        f"watch-{agent}": (read,),
    }
    return tuple(Account(namespace=namespace, name=name, rules=rules) for name, rules in held.items())


def _bot_account(namespace: str, accounts: tuple[Account, ...]) -> Account:
    mint = Rule(
        groups=("",),
        resources=("serviceaccounts/token",),
        verbs=("create",),
        names=tuple(account.name for account in accounts),
        namespace=namespace,
    )
    return Account(namespace=BOT, name=BOT, rules=(mint, _identity_rule()))


def _identity_rule() -> Rule:
    """Return the right to ask which cluster this is."""
    return Rule(groups=("",), resources=("namespaces",), verbs=("get",), names=("kube-system",))


def usual_fences(bot: Account, accounts: tuple[Account, ...], *, prefix: str = "") -> tuple[Fence, ...]:
    """Return the admission fences of an approval bot.

    Planners only dry-run, executors keep to their fields, and tokens are short, for the API server, minted by the bot alone.

    Args:
        bot: The bot's own account.
        accounts: For which it may mint; the bot itself among them does not count.
        prefix: What their names begin with, before their role.
    """
    minted = tuple(account.username for account in accounts if account != bot)
    return (
        DryRunOnly(
            name="countersign-planners",
            users=(f"system:serviceaccount:*:{prefix}plan-*",),
            message="a planner may only try out (dry run)",
        ),
        TokenFence(
            name="countersign-tokens",
            users=(bot.username,),
            accounts=minted,
            audiences=(AUDIENCE,),
            message="tokens of its named accounts, for the API server and of at most 600 seconds only",
        ),
        MinterFence(
            name="countersign-minters",
            minters=(bot.username,),
            accounts=minted,
            message="only the bot mints tokens of its accounts",
        ),
        *(_executor_fence(f"{prefix}exec-*-restart", resource, forms=_RESTART_FORMS) for resource in _WORKLOADS),
        *(
            _executor_fence(f"{prefix}exec-*-scale", resource, ceilings={_REPLICAS: _REPLICAS_MOST})
            for resource in _SCALES
        ),
    )


def _executor_fence(
    accounts: str, resource: str, *, forms: Mapping[str, str] = {}, ceilings: Mapping[str, int] = {}
) -> FieldFence:
    return FieldFence(
        name="countersign-executors",
        users=(f"system:serviceaccount:*:{accounts}",),
        resource=resource,
        pointers=(*forms, *ceilings),
        forms=forms,
        ceilings=ceilings,
        message=f"{accounts.rpartition('-')[2]}: an executor may only update what its verb changes",
    )
