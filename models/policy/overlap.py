"""Overlap: what rules can speak of at all, going by the charters. Judged by the court's own matching, so that it cannot differ.

Names of objects are not known in advance, so two patterns of names overlap where some name could fit both.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from approvals.change.action import ProposedAction, Target, Wish
from approvals.policy.policy import Match
from approvals.verbs.registry import REGISTRY


def asks_of(agent: str, verbs: Iterable[str], namespaces: Mapping[str, Iterable[str]]) -> Iterator[Wish]:
    """Return everything that a charter includes, an object's name standing for any; verbs that do not exist are passed over."""
    names = frozenset(verbs)
    kinds = [(verb.name, kind.name) for verb in REGISTRY if verb.name in names for kind in verb.kinds]
    for environment, inside in namespaces.items():
        for namespace in inside:
            for verb, kind in kinds:
                target = Target(kind=kind, namespace=namespace, name="any")
                action = ProposedAction(verb=verb, target=target, parameters={})
                yield Wish(agent=agent, environment=environment, action=action, on_behalf_of=None)


def spoken_of(match: Match, asks: Sequence[Wish]) -> frozenset[int]:
    """Return the places of those *asks* that a rule speaks of for some object's name."""
    nameless = replace(match, names=None)
    return frozenset(place for place, ask in enumerate(asks) if nameless.takes(ask))


def share_names(one: Match, other: Match) -> bool:
    """Tell whether some object's name could fit both rules."""
    if one.names is None or other.names is None:
        return True
    return any(_meet(first, second) for first in one.names for second in other.names)


def _meet(one: str, other: str) -> bool:
    """Tell whether some text fits both patterns."""
    first, second = one.removesuffix("*"), other.removesuffix("*")
    if first == one and second == other:
        return one == other
    if first == one:
        return one.startswith(second)
    if second == other:
        return other.startswith(first)
    return first.startswith(second) or second.startswith(first)
