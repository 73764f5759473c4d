"""Actions: what an agent proposes to do, and to what. How it would change the cluster is :mod:`approvals.change.plan`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from approvals.errors import Malformed
from approvals.identity.names import Account
from approvals.identity.place import Place

ENVIRONMENT_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
AGENT_NAME: Final = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")
"""Short, because service account names are made of it."""

NAMESPACE_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
OBJECT_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""Kubernetes' own rule for names (RFC 1123 label and subdomain): ASCII, so look-alike letters never pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One object in one namespace; the environment says in which cluster."""

    kind: str
    namespace: str
    name: str

    def __post_init__(self) -> None:
        """Refuse names that Kubernetes would not take.

        Raises:
            Malformed: The namespace or the name is not a valid one.
        """
        if not NAMESPACE_NAME.fullmatch(self.namespace):
            raise Malformed(
                "A namespace is 1-63 lower-case letters, digits and dashes.", field="/action/target/namespace"
            )
        if not OBJECT_NAME.fullmatch(self.name):
            raise Malformed("A name is 1-253 lower-case letters, digits, dashes and dots.", field="/action/target/name")

    def __str__(self) -> str:
        """Return it as people write it: ``Deployment shop/checkout``."""
        return f"{self.kind} {self.namespace}/{self.name}"


Argument = int | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedAction:
    """A verb, its target and its parameters, as the agent named them."""

    verb: str
    target: Target
    parameters: Mapping[str, Argument]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an agent asks for: who wants which change, where, and on whose behalf. All of it that the policy rules on."""

    agent: str
    environment: str
    action: ProposedAction
    on_behalf_of: Account | None
    """The account of the person the agent acts for, if any."""

    @property
    def place(self) -> Place:
        """Where it would act, and for whom."""
        return Place(agent=self.agent, environment=self.environment, namespace=self.action.target.namespace)
