"""Service accounts: under which name which step reaches a cluster. The agent never holds any of them.

Per agent and namespace there is one planner (an admission policy lets it through in dry run only), one
executor for each verb, and one observer. Once a cluster, beside the bot's own account, there is an inspector, which
may list who may do what there and nothing else. The bot's own account can mint tokens for exactly these.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an account is for."""

    PLANNER = "plan"
    EXECUTOR = "exec"
    OBSERVER = "watch"
    INSPECTOR = "inspect"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """A service account of one namespace."""

    namespace: str
    name: str

    @property
    def username(self) -> str:
        """The name under which the API server knows it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


def planner(agent: str, namespace: str) -> ServiceAccount:
    """Return the account that previews *agent*'s changes in *namespace*."""
    return ServiceAccount(namespace=namespace, name=f"{Role.PLANNER}-{agent}")


def executor(agent: str, verb: str, namespace: str) -> ServiceAccount:
    """Return the account that carries out *agent*'s approved *verb* in *namespace*."""
    return ServiceAccount(namespace=namespace, name=f"{Role.EXECUTOR}-{agent}-{verb}")


def observer(agent: str, namespace: str) -> ServiceAccount:
    """Return the account that reads back and follows what *agent*'s changes do in *namespace*."""
    return ServiceAccount(namespace=namespace, name=f"{Role.OBSERVER}-{agent}")


def inspector(bot: ServiceAccount) -> ServiceAccount:
    """Return the account that reads a cluster's roles, bindings and admission policies; it stands beside the *bot*'s own."""
    return ServiceAccount(namespace=bot.namespace, name=f"{Role.INSPECTOR}-{bot.name}")
