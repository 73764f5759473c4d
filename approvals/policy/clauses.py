"""Clauses: a ruling as a tree, each part with what it looked at, what it found and what it concluded.

A clause speaks when all of its predicates hold; what does not speak is skipped, and its last predicate says why. A tree concludes
the strictest of what its clauses conclude. The sentences that people and agents read are made of it (:func:`reasons_of`), so that
what is said and what was judged cannot part. Which clauses there are is :mod:`approvals.policy.ruling`'s and the policy's affair.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final, assert_never

MOST_SKIPPED: Final = 100
"""How many skipped clauses of one policy are kept on record with a question: a file of a few hundred rules is no rare thing,
and each question of each agent would carry them all."""

BUILT_IN: Final = "built-in"
"""How a denial that no file can lift is called where rules are called by name."""


class Outcome(StrEnum):
    """What a clause concludes, from least strict to strictest. Stored; never renamed."""

    SKIPPED = "skipped"
    ASKS = "asks"
    DENIED = "denied"


_STRICTNESS: Final = {outcome: place for place, outcome in enumerate(Outcome)}


class ClauseKind(StrEnum):
    """What sort of clause it is. Stored; never renamed."""

    VERSIONS = "versions"
    """Several versions of the policy, all of which must be satisfied."""
    POLICY = "policy"
    """One version of the policy, by its hash."""
    BUILT_IN = "built_in"
    """A denial that no rule can lift."""
    RULE = "rule"
    """A rule of the file."""
    NO_RULE = "no_rule"
    """The denial of what no rule asks about."""
    TIMEOUT = "timeout"
    """How long the agent wants to wait, beside what the rules let it."""


class Relation(StrEnum):
    """How a predicate compares. Stored; never renamed."""

    ONE_OF = "one_of"
    """The value fits one of the wanted; a trailing ``*`` there means any ending."""
    NONE_OF = "none_of"
    AT_LEAST = "at_least"
    """The value reaches the one wanted; both are whole numbers."""
    AT_MOST = "at_most"


class Truth(StrEnum):
    """What came of a predicate. A word and not a bool, so that what is on record stays readable beside a third one."""

    TRUE = "true"
    FALSE = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """One comparison that a clause rests on, with what was there and what came of it."""

    subject: str
    """What was looked at, such as ``verb``."""
    value: str | int
    """What was there."""
    relation: Relation
    wanted: tuple[str | int, ...]
    result: Truth

    @property
    def holds(self) -> bool:
        """Whether it came out true."""
        return self.result is Truth.TRUE


@lru_cache(4096)
def predicate(
    subject: str, value: str | int, relation: Relation, wanted: tuple[str | int, ...], *, holds: bool
) -> Predicate:
    """Return a predicate of which it is known whether it *holds*."""
    return Predicate(
        subject=subject, value=value, relation=relation, wanted=wanted, result=Truth.TRUE if holds else Truth.FALSE
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One part of a ruling: what it concludes, the predicates that it looked at, and the clauses that it is made of."""

    kind: ClauseKind
    name: str
    """A rule's own, a policy's version, or what is built in; may be empty."""
    outcome: Outcome
    predicates: tuple[Predicate, ...] = ()
    """In the order in which they were looked at; after one that does not hold none was."""
    children: tuple["Clause", ...] = ()
    approvers: tuple[str, ...] = ()
    """Whom it asks: names of approver sets, any of which will do."""
    words: str = ""
    """Why it denies, in the policy's words."""
    left_out: int = 0
    """How many of its skipped children are not kept here."""

    @property
    def leaves(self) -> Iterator["Clause"]:
        """The clauses that have none below them, in order."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves

    @property
    def deciding(self) -> tuple["Clause", ...]:
        """The leaves by which it came to what it concludes, in order."""
        if not self.children:
            return (self,)
        return tuple(leaf for child in self.children if child.outcome is self.outcome for leaf in child.deciding)

    def kept(self, *, skipped: int) -> "Clause":
        """Return it with at most so many *skipped* children, the first ones, beside each that spoke; the rest is counted."""
        room = skipped
        children: list[Clause] = []
        for child in self.children:
            if child.outcome is Outcome.SKIPPED:
                room -= 1
                if room < 0:
                    continue
            children.append(child.kept(skipped=skipped))
        return replace(self, children=tuple(children), left_out=self.left_out + len(self.children) - len(children))


@lru_cache(4096)
def misfit(kind: ClauseKind, name: str, found: Predicate) -> Clause:
    """Return the clause called *name* that did not speak because of what was *found*.

    Most clauses of a long policy do not speak, and the same few values are looked at again and again: each is made once.
    """
    return Clause(kind=kind, name=name, outcome=Outcome.SKIPPED, predicates=(found,))


@lru_cache(1024)
def in_order(words: frozenset[str]) -> tuple[str, ...]:
    """Return *words* as a predicate names them; the lists of a policy are put in order once."""
    return tuple(sorted(words))


def joined(kind: ClauseKind, name: str, children: tuple[Clause, ...]) -> Clause:
    """Return the clause of *children*, at least one: it concludes the strictest of what they do."""
    strictest = max((child.outcome for child in children), key=_STRICTNESS.__getitem__)
    return Clause(kind=kind, name=name, outcome=strictest, children=children)


def rules_of(tree: Clause) -> tuple[str, ...]:
    """Return the names of the rules by which *tree* concludes what it does, each once; what is built in has one name."""
    names = (
        BUILT_IN if clause.kind is ClauseKind.BUILT_IN else clause.name
        for clause in tree.deciding
        if clause.kind in {ClauseKind.RULE, ClauseKind.BUILT_IN}
    )
    return tuple(dict.fromkeys(names))


def reasons_of(tree: Clause) -> tuple[str, ...]:
    """Return why *tree* concludes what it does, a sentence for each clause that does, each once."""
    return tuple(dict.fromkeys(sentence_of(clause) for clause in tree.deciding))


def sentence_of(clause: Clause) -> str:
    """Return what a clause without children that spoke says."""
    match clause.kind:
        case ClauseKind.RULE if clause.outcome is Outcome.DENIED:
            return f"Rule {clause.name} denies it{f': {clause.words}' if clause.words else '.'}"
        case ClauseKind.RULE:
            return f"Rule {clause.name} asks {' or '.join(clause.approvers)}."
        case ClauseKind.NO_RULE:
            return "No rule asks about this, so it is denied."
        case ClauseKind.TIMEOUT:
            return _of_timeout(clause.predicates[-1])
        case ClauseKind.BUILT_IN:
            return _BUILT_IN_SENTENCES[clause.name].format(value=clause.predicates[-1].value)
        case ClauseKind.POLICY | ClauseKind.VERSIONS:
            raise ValueError(f"a {clause.kind} clause speaks through its children")
        case _:
            assert_never(clause.kind)


def _of_timeout(last: Predicate) -> str:
    if last.holds:
        return f"An answer is wanted within {last.value} seconds."
    allowed = f"allow {last.wanted[0]} seconds at most" if last.relation is Relation.AT_MOST else ""
    given = allowed or f"give people {last.wanted[0]} seconds at least"
    return f"The agent asked for {last.value} seconds; the rules {given}."


PROTECTED: Final = "protected-namespace"
NO_CHARTER: Final = "no-charter"
NO_ENVIRONMENT: Final = "no-environment"
CHARTER_NAMESPACE: Final = "charter-namespace"
CHARTER_VERB: Final = "charter-verb"
CHARTER_PERSON: Final = "charter-person"

_BUILT_IN_SENTENCES: Final = {
    PROTECTED: "The namespace {value} is protected; no rule can open it.",
    NO_CHARTER: "The policy has no charter for this agent.",
    NO_ENVIRONMENT: "The policy has no such environment.",
    CHARTER_NAMESPACE: "The agent's charter does not include that namespace of that environment.",
    CHARTER_VERB: "The agent's charter does not include that verb.",
    CHARTER_PERSON: "The agent's charter does not let it act for that person.",
}


def built_in(name: str, found: Predicate) -> Clause:
    """Return the denial called *name*, which speaks where *found* holds."""
    if found.holds:
        return Clause(kind=ClauseKind.BUILT_IN, name=name, outcome=Outcome.DENIED, predicates=(found,))
    return misfit(ClauseKind.BUILT_IN, name, found)
