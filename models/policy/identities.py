"""Identities: which accounts an entry of the file means, and which of them are one person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from approvals.identity.names import Account, is_operator
from approvals.identity.people import People
from models.policy.shapes import ApproversShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """The file's ``people:``, by name, as far as it is sound."""

    accounts: Mapping[str, tuple[Account, ...]]

    @property
    def people(self) -> People:
        """The same, the other way round: by account."""
        return People(names={account: name for name, accounts in self.accounts.items() for account in accounts})

    def accounts_of(self, who: str) -> tuple[Account, ...]:
        """Return the accounts that *who*, an account or a name of ``people:``, means; none where the name is not known."""
        return (Account(who),) if ":" in who else self.accounts.get(who, ())

    def slack_accounts_of(self, who: Iterable[str]) -> frozenset[Account]:
        """Return the Slack accounts that the entries mean: the ones that can answer a card."""
        return frozenset(account for one in who for account in self.accounts_of(one) if not is_operator(account))

    def persons_of(self, who: Iterable[str]) -> frozenset[str]:
        """Return the persons behind the entries, by whatever account they sign."""
        people = self.people
        return frozenset(people.person_of(account) for one in who for account in self.accounts_of(one))

    def yield_of(self, sets: Iterable[ApproversShape]) -> frozenset[str] | None:
        """Return the persons who can answer for any of *sets*; None where nobody can say, because a group is among them."""
        people = self.people
        persons: set[str] = set()
        for one in sets:
            if one.groups:
                return None
            persons |= {people.person_of(account) for account in self.slack_accounts_of(one.people)}
        return frozenset(persons)
