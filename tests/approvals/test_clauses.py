"""The tree of a ruling: every clause with what it looked at, the strictest conclusion of all, sentences made of nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.canonical import decode, encode
from approvals.change.risk import Risk
from approvals.facts import facts_of, noun_of
from approvals.identity.people import People
from approvals.policy.clauses import (
    Clause,
    ClauseKind,
    Outcome,
    Predicate,
    Relation,
    Truth,
    joined,
    predicate,
    reasons_of,
    rules_of,
    sentence_of,
)
from approvals.policy.policy import Match, Policy, Rule
from approvals.policy.ruling import Ruling, rule_on, stricter_of
from tests.approvals.strategies import FEW, anything
from tests.builders import (
    CHEN,
    MINUTE,
    a_denial,
    a_policy,
    a_rule,
    a_ruling,
    a_target,
    a_wish,
    an_action,
)

PROTECTED = ("countersign", "countersign-*", "kube-node-lease", "kube-public", "kube-system")


def tree_of(*rules: Rule, policy: Policy | None = None, **asked: Any) -> Clause:
    """Return the tree of the ruling on scaling ``shop/checkout``."""
    timeout = asked.pop("timeout", None)
    tree = rule_on(policy or a_policy(rules=rules), a_wish(**asked), risk=Risk.LOW, timeout=timeout).tree
    assert tree is not None
    return tree


def skipped(name: str, *predicates: Predicate, kind: ClauseKind = ClauseKind.RULE) -> Clause:
    """Return a clause that did not speak."""
    return Clause(kind=kind, name=name, outcome=Outcome.SKIPPED, predicates=predicates)


def built_in(name: str, subject: str, value: str, *wanted: str, relation: Relation = Relation.NONE_OF) -> Clause:
    """Return a built-in clause that did not speak."""
    return skipped(name, predicate(subject, value, relation, wanted, holds=False), kind=ClauseKind.BUILT_IN)


NOTHING_BUILT_IN = (
    built_in("protected-namespace", "namespace", "shop", *PROTECTED, relation=Relation.ONE_OF),
    built_in("no-charter", "agent", "scaler", "scaler"),
    built_in("no-environment", "environment", "prod-eu-1", "prod-eu-1"),
    built_in("charter-namespace", "namespace", "shop", "shop"),
    built_in("charter-verb", "verb", "scale", "restart", "scale"),
    built_in("charter-person", "on_behalf_of", CHEN, CHEN),
)


def test_every_clause_is_in_the_tree_with_what_it_looked_at():
    """What is built in, each rule in the order of the file, the agent's wish: who spoke, and of the others the first misfit."""
    match = Match(environments=frozenset({"prod-*"}), verbs=frozenset({"scale", "restart"}))
    other = Match(verbs=frozenset({"scale"}), namespaces=frozenset({"pay"}), names=frozenset({"cart"}))

    tree = tree_of(a_rule("other", match=other), a_rule("any", match=match), timeout=5 * MINUTE)

    in_prod = predicate("environment", "prod-eu-1", Relation.ONE_OF, ("prod-*",), holds=True)
    scales = predicate("verb", "scale", Relation.ONE_OF, ("restart", "scale"), holds=True)
    assert tree == Clause(
        kind=ClauseKind.POLICY,
        name="a" * 64,
        outcome=Outcome.ASKS,
        children=(
            *NOTHING_BUILT_IN,
            skipped("other", predicate("namespace", "shop", Relation.ONE_OF, ("pay",), holds=False)),
            Clause(
                kind=ClauseKind.RULE,
                name="any",
                outcome=Outcome.ASKS,
                predicates=(in_prod, scales),
                approvers=("platform",),
            ),
            Clause(
                kind=ClauseKind.TIMEOUT,
                name="",
                outcome=Outcome.ASKS,
                predicates=(
                    predicate("timeout_seconds", 300, Relation.AT_MOST, (3600,), holds=True),
                    predicate("timeout_seconds", 300, Relation.AT_LEAST, (60,), holds=True),
                ),
            ),
        ),
    )


def test_a_predicate_says_what_came_of_it_in_a_word():
    """Stored as a word; whether it holds is what the word says."""
    found = [predicate("verb", "scale", Relation.ONE_OF, ("scale",), holds=holds) for holds in (True, False)]

    assert [(one.result, one.holds) for one in found] == [(Truth.TRUE, True), (Truth.FALSE, False)]


def test_where_something_built_in_denies_nothing_else_is_looked_at():
    """The tree ends with the denial: no rule is asked of a place that no rule can open."""
    tree = tree_of(a_rule(), action=an_action(target=a_target(namespace="kube-system")))

    found = predicate("namespace", "kube-system", Relation.ONE_OF, PROTECTED, holds=True)
    denial = Clause(kind=ClauseKind.BUILT_IN, name="protected-namespace", outcome=Outcome.DENIED, predicates=(found,))
    assert tree == Clause(kind=ClauseKind.POLICY, name="a" * 64, outcome=Outcome.DENIED, children=(denial,))


def test_what_no_rule_speaks_of_has_a_clause_that_says_so():
    """Silence of the policy is a clause of its own, beside the rules that did not speak and why."""
    tree = tree_of(a_rule("restarts", match=Match(verbs=frozenset({"restart"}))))

    misfit = predicate("verb", "scale", Relation.ONE_OF, ("restart",), holds=False)
    assert tree == Clause(
        kind=ClauseKind.POLICY,
        name="a" * 64,
        outcome=Outcome.DENIED,
        children=(
            *NOTHING_BUILT_IN,
            skipped("restarts", misfit),
            Clause(kind=ClauseKind.NO_RULE, name="", outcome=Outcome.DENIED),
        ),
    )


def test_a_denial_keeps_its_words_and_the_rules_that_asked_stay_in_the_tree():
    """Who reads it later sees also what would have been asked."""
    tree = tree_of(a_rule("one"), a_denial(reason="Night.", verbs=frozenset({"scale"})))

    spoke = [(one.name, one.outcome, one.words) for one in tree.leaves if one.outcome is not Outcome.SKIPPED]
    assert spoke == [("one", Outcome.ASKS, ""), ("never", Outcome.DENIED, "Night.")]
    assert (rules_of(tree), reasons_of(tree)) == (("never",), ("Rule never denies it: Night.",))


def test_a_request_keeps_the_clauses_that_spoke():
    """What is read at each decision stays short; how many are not kept is counted."""
    rules = [a_rule(f"r{number}", match=Match(verbs=frozenset({"restart"}))) for number in range(5)]
    tree = tree_of(*rules, a_rule("any"))

    kept = tree.kept(skipped=0)

    assert [one.name for one in kept.children] == ["any"]
    assert kept.left_out == len(NOTHING_BUILT_IN) + 5
    assert (kept.outcome, rules_of(kept), reasons_of(kept)) == (tree.outcome, rules_of(tree), reasons_of(tree))


def test_an_opening_event_keeps_the_first_skipped_clauses_and_counts_the_rest():
    """I13: a long policy does not make each question as long; what was left out of a tree before is counted with it."""
    tree = joined(ClauseKind.POLICY, "p", tuple(skipped(f"r{number}") for number in range(5)))

    kept = tree.kept(skipped=3)

    assert ([one.name for one in kept.children], kept.left_out) == (["r0", "r1", "r2"], 2)
    assert (kept.kept(skipped=1).left_out, tree.kept(skipped=5)) == (4, tree)


def test_a_tree_of_versions_is_shortened_below_each():
    """The bound is of each clause's own children."""
    inner = joined(ClauseKind.POLICY, "p", (skipped("a"), skipped("b")))
    versions = joined(ClauseKind.VERSIONS, "", (inner, inner))

    assert versions.kept(skipped=2) == versions
    assert versions.kept(skipped=0).left_out == 2


def test_a_ruling_keeps_what_it_said():
    """Shortening its tree changes nothing of a ruling but the tree; one from before trees were kept stays as it is."""
    ruling = a_ruling()
    assert ruling.tree is not None

    kept = ruling.kept()

    assert (kept.tree, kept.rules, kept.reasons) == (ruling.tree.kept(skipped=0), ruling.rules, ruling.reasons)
    assert old(ruling).kept() == old(ruling)


def old(ruling: Ruling) -> Ruling:
    """Return *ruling* as the release before trees wrote it down."""
    facts = facts_of(ruling)
    assert isinstance(facts, dict)
    return noun_of(Ruling, {name: value for name, value in facts.items() if name != "tree"})


def test_a_ruling_from_before_trees_is_read():
    """What an earlier release ruled is read as it is, without a tree, and judged by like any other."""
    assert old(a_ruling()).tree is None
    assert old(a_ruling()).reasons == a_ruling().reasons
    assert stricter_of(old(a_ruling()), a_ruling()).tree == a_ruling().tree
    assert stricter_of(a_ruling(), old(a_ruling())).tree == a_ruling().tree
    assert stricter_of(old(a_ruling()), old(a_ruling())).tree is None


def test_two_versions_are_one_tree():
    """I10: the older first, today's second; where today's denies it is the one that decides, and whose reasons are told."""
    never = a_policy(version="b" * 64, rules=(a_rule(), a_denial(verbs=frozenset({"scale"}))))

    both = stricter_of(a_ruling(), a_ruling(never))

    first, second = a_ruling().tree, a_ruling(never).tree
    assert first is not None
    assert second is not None
    assert both.tree == Clause(kind=ClauseKind.VERSIONS, name="", outcome=Outcome.DENIED, children=(first, second))
    assert (
        (rules_of(both.tree), reasons_of(both.tree))
        == (both.rules, both.reasons)
        == (("never",), ("Rule never denies it.",))
    )


@pytest.mark.parametrize("kind", [ClauseKind.POLICY, ClauseKind.VERSIONS])
def test_what_is_made_of_clauses_has_no_sentence_of_its_own(kind):
    """It speaks through its children."""
    with pytest.raises(ValueError, match="children"):
        sentence_of(Clause(kind=kind, name="", outcome=Outcome.DENIED))


RULES = st.lists(
    st.builds(
        lambda name, verbs, denies: a_denial(name, verbs=verbs) if denies else a_rule(name, match=Match(verbs=verbs)),
        st.sampled_from("abcdef"),
        st.sampled_from([frozenset({"scale"}), frozenset({"restart"}), frozenset({"sc*", "x"})]),
        st.booleans(),
    ),
    max_size=5,
    unique_by=lambda rule: rule.name,
)


@FEW
@given(RULES, st.none() | st.integers(1, 4000), st.sampled_from(["shop", "pay", "kube-system"]))
def test_what_a_ruling_says_is_made_of_its_tree(rules, timeout, namespace):
    """Rules, reasons and conclusion of any ruling are those of its tree, whole or as its request keeps it."""
    ruling = rule_on(
        a_policy(rules=tuple(rules)),
        a_wish(action=an_action(target=a_target(namespace=namespace)), on_behalf_of=None),
        risk=Risk.LOW,
        timeout=None if timeout is None else timedelta(seconds=timeout),
    )
    kept = ruling.kept()

    for tree in (ruling.tree, kept.tree):
        assert tree is not None
        assert (ruling.asks, ruling.rules, ruling.reasons) == (
            tree.outcome is Outcome.ASKS,
            rules_of(tree),
            reasons_of(tree),
        )
    assert ruling.asks is (namespace == "shop" and _naively_asks(rules))


def _naively_asks(rules: list[Rule]) -> bool:
    speaking = [rule for rule in rules if rule.match.verbs != frozenset({"restart"})]
    return bool(speaking) and all(rule.asking is not None for rule in speaking)


@FEW
@given(anything(Clause))
def test_a_tree_comes_back_from_its_facts_equal(tree):
    """Through the bytes of an event, whatever it is made of."""
    assert noun_of(Clause, decode(encode(facts_of(tree)))) == tree


def test_people_are_no_part_of_a_tree():
    """Who is whom does not decide whether it is asked: another map of people, the same tree."""
    assert tree_of(policy=a_policy(people=People(names={CHEN: "chen"}))) == tree_of(policy=a_policy())
