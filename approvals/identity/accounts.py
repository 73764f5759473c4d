"""Service accounts: under which name which step reaches a cluster. The agent never holds any of them.

Per agent and namespace there is one planner (an admission policy lets it through in dry run only), one
executor for each verb, and one observer. Once a cluster, beside the bot's own account, there is an inspector, which
may list who may do what there and nothing else. The bot's own account can mint tokens for exactly these. All of them bear the
name of the installation that they belong to, so that several can share a cluster, and even a namespace, without having
a name in common.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

OURS: Final = "countersign"
"""Begins the name of everything that Countersign has in a cluster."""


class Role(StrEnum):
    """What an account is for."""

    PLANNER = "plan"
    EXECUTOR = "exec"
    OBSERVER = "watch"
    INSPECTOR = "inspect"


def in_names(verb: str) -> str:
    """Return how a verb is called in the names of accounts, which hold no underscore."""
    return verb.replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """A service account of one namespace."""

    namespace: str
    name: str

    @property
    def username(self) -> str:
        """The name under which the API server knows it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One team's Countersign, by a name that no other installation on its clusters has.

    The name has no dash, so what follows it in a name of ours can never be taken for a part of it: whatever begins
    with one installation's :attr:`prefix` is that installation's alone.
    """

    name: str
    """1 to 20 lower-case letters and digits, a letter first."""

    @property
    def prefix(self) -> str:
        """What the names of its accounts, roles and admission policies begin with, such as ``countersign-acme-``."""
        return f"{OURS}-{self.name}-"

    @property
    def namespace(self) -> str:
        """The namespace of the bot's own account, such as ``countersign-acme``. No agent acts in it."""
        return f"{OURS}-{self.name}"

    @property
    def bot(self) -> ServiceAccount:
        """The bot's own account."""
        return ServiceAccount(namespace=self.namespace, name=OURS)

    @property
    def inspector(self) -> ServiceAccount:
        """The account that reads a cluster's roles, bindings and admission policies; it stands beside the bot's own."""
        return ServiceAccount(namespace=self.namespace, name=f"{self.prefix}{Role.INSPECTOR}")

    def planner(self, agent: str, namespace: str) -> ServiceAccount:
        """Return the account that previews *agent*'s changes in *namespace*."""
        return ServiceAccount(namespace=namespace, name=f"{self.prefix}{Role.PLANNER}-{agent}")

    def executor(self, agent: str, verb: str, namespace: str) -> ServiceAccount:
        """Return the account that carries out *agent*'s approved *verb* in *namespace*."""
        return ServiceAccount(namespace=namespace, name=f"{self.prefix}{Role.EXECUTOR}-{agent}-{in_names(verb)}")

    def observer(self, agent: str, namespace: str) -> ServiceAccount:
        """Return the account that reads back and follows what *agent*'s changes do in *namespace*."""
        return ServiceAccount(namespace=namespace, name=f"{self.prefix}{Role.OBSERVER}-{agent}")
