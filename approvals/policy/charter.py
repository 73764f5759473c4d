"""Charters: what an agent is for, who owns it, and what it may ask for at all. The rules decide the rest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from approvals.change.action import ProposedAction
from approvals.errors import OutOfScope
from approvals.identity.names import Account
from approvals.policy.clauses import (
    CHARTER_NAMESPACE,
    CHARTER_PERSON,
    CHARTER_VERB,
    Clause,
    Outcome,
    Relation,
    built_in,
    in_order,
    predicate,
    sentence_of,
)

_FIELDS: Final = {
    CHARTER_NAMESPACE: "/action/target/namespace",
    CHARTER_VERB: "/action/verb",
    CHARTER_PERSON: "/on_behalf_of",
}
"""Where in the agent's body stands what a charter does not include."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who answers for an agent: accounts."""

    business: Account
    technical: Account
    risk: Account

    @property
    def accounts(self) -> frozenset[Account]:
        """All of them."""
        return frozenset({self.business, self.technical, self.risk})


class WhenTokenRevoked(StrEnum):
    """What becomes of an agent's open questions once the token that they were asked with is revoked."""

    CANCEL = "cancel"
    FLAG = "flag"
    """They stay open, and their cards say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """What an agent is for, who owns it, and what it may ask for at all."""

    agent: str
    purpose: str
    owners: Owners
    verbs: frozenset[str]
    namespaces: Mapping[str, frozenset[str]]
    """By environment."""
    acts_for: frozenset[Account]
    """Accounts of the people on whose behalf it may ask."""
    when_token_revoked: WhenTokenRevoked

    def check(self, environment: str, action: ProposedAction, on_behalf_of: Account | None) -> None:
        """Return if the charter allows asking for this.

        Raises:
            OutOfScope: The environment, namespace, verb or person is not in the charter.
        """
        for clause in self.clauses(environment, action, on_behalf_of):
            if clause.outcome is Outcome.DENIED:
                raise OutOfScope(sentence_of(clause), field=_FIELDS[clause.name])

    def clauses(self, environment: str, action: ProposedAction, on_behalf_of: Account | None) -> Iterator[Clause]:
        """Yield what the charter says of this: a clause for each thing that it may not include."""
        yield _left_out(
            CHARTER_NAMESPACE, "namespace", action.target.namespace, self.namespaces.get(environment, frozenset())
        )
        yield _left_out(CHARTER_VERB, "verb", action.verb, self.verbs)
        if on_behalf_of is not None:
            yield _left_out(CHARTER_PERSON, "on_behalf_of", on_behalf_of, self.acts_for)


def _left_out(name: str, subject: str, value: str, included: frozenset[str]) -> Clause:
    return built_in(
        name,
        predicate(subject, value, Relation.NONE_OF, in_order(included), holds=value not in included),
    )
