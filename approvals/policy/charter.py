"""Charters: what an agent is for, who owns it, and what it may ask for at all. The rules decide the rest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from approvals.change.action import Wish
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

    def check(self, wish: Wish) -> None:
        """Return if the charter allows *wish*.

        Raises:
            OutOfScope: The environment, namespace, verb or person is not in the charter.
        """
        for clause in self.clauses(wish):
            if clause.outcome is Outcome.DENIED:
                raise OutOfScope(sentence_of(clause), field=_FIELDS[clause.name])

    def clauses(self, wish: Wish) -> Iterator[Clause]:
        """Yield what the charter says of *wish*: a clause for each thing that it may not include."""
        namespaces = self.namespaces.get(wish.environment, frozenset())
        yield _left_out(CHARTER_NAMESPACE, "namespace", wish.action.target.namespace, namespaces)
        yield _left_out(CHARTER_VERB, "verb", wish.action.verb, self.verbs)
        if wish.on_behalf_of is not None:
            yield _left_out(CHARTER_PERSON, "on_behalf_of", wish.on_behalf_of, self.acts_for)


def _left_out(name: str, subject: str, value: str, included: frozenset[str]) -> Clause:
    return built_in(
        name,
        predicate(subject, value, Relation.NONE_OF, in_order(included), holds=value not in included),
    )
