"""A policy loads whole or not at all, and every mistake says where it is and what to do."""

import json
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.change.risk import Risk
from approvals.identity.accounts import Installation
from approvals.identity.names import Account, Channel, Group
from approvals.identity.people import ApproverSet, People
from approvals.policy.charter import Charter, Owners, WhenTokenRevoked
from approvals.policy.policy import (
    Asking,
    DigestSchedule,
    Environment,
    Limit,
    Match,
    NamedCluster,
    Policy,
    Rule,
    Timeout,
)
from models.policy.file import PolicyMistake, PolicyMistakes, load_policy
from tests.models.policy.cases import MISTAKES
from tests.models.policy.texts import BASE, changed, mistakes_in


def test_a_policy_becomes_the_noun():
    """Every entry of the file arrives; names of people become their Slack accounts."""
    minute = timedelta(minutes=1)

    assert load_policy(BASE.encode()) == Policy(
        version=sha256(BASE.encode()).hexdigest(),
        installation=Installation(name="lab"),
        clusters={"main": NamedCluster(name="main", context=None)},
        environments={
            "demo": Environment(
                name="demo",
                channel=Channel("T0LOCAL:C0APPROVALS"),
                zone="Europe/Berlin",
                digest=DigestSchedule(weekday="mon", hour=9, minute=0),
                cluster="main",
            )
        },
        charters={
            "scaler": Charter(
                agent="scaler",
                purpose="Keeps the shop fast.",
                owners=Owners(
                    business=Account("T0LOCAL:U0RIA"), technical=Account("T0LOCAL:U0RIA"), risk=Account("T0LOCAL:U0MIA")
                ),
                verbs=frozenset({"scale"}),
                namespaces={"demo": frozenset({"shop"})},
                acts_for=frozenset({Account("T0LOCAL:U0RIA")}),
                when_token_revoked=WhenTokenRevoked.CANCEL,
            )
        },
        approver_sets={
            "ops": ApproverSet(name="ops", accounts=frozenset({Account("T0LOCAL:U0ANA"), Account("T0LOCAL:U0BEN")})),
            "dba": ApproverSet(
                name="dba", accounts=frozenset({Account("T0LOCAL:U0CYD")}), groups=frozenset({Group("T0LOCAL:S0DBA")})
            ),
        },
        may_pause=("ops", "dba"),
        may_resume=("ops",),
        people=People(
            names={Account("T0LOCAL:U0ANA"): "ana", Account("os:ana"): "ana", Account("T0LOCAL:U0BEN"): "ben"}
        ),
        limits={"cpu": Limit(name="cpu", ceiling=Decimal("0.80"), unit="share", description="Room for one lost node.")},
        rules=(
            Rule(
                name="shop",
                match=Match(environments=frozenset({"demo"})),
                asking=Asking(
                    risk=Risk.LOW,
                    approvers=("ops",),
                    quorum=1,
                    timeout=Timeout(default=15 * minute, least=minute, most=60 * minute),
                    valid_for=15 * minute,
                    owners_may_approve=False,
                ),
            ),
        ),
        teams=frozenset({"T0LOCAL"}),
    )


def test_what_may_be_left_out_or_said_may_be():
    """A cluster, a shorter validity, owners' approval, a denial and names instead of accounts all arrive."""
    policy = load_policy(
        changed(
            (
                "environments:\n  demo:\n",
                "clusters:\n  kind: {context: kind-demo}\nenvironments:\n  demo:\n    cluster: kind\n",
            ),
            ("zone: Europe/Berlin", "zone: UTC"),
            ("{weekday: monday, at: 09:00}", "{weekday: sunday, at: 23:59}"),
            ("      quorum: 1", "      quorum: 2\n      valid_for: 90s\n      owners_may_approve: true"),
            ("{business: T0LOCAL:U0RIA,", "{business: ana,"),
            ("acts_for: [T0LOCAL:U0RIA]", "acts_for: [ben]\n    when_token_revoked: flag"),
            ("rules:\n", "rules:\n  - {name: never, match: {}, deny: Not this year.}\n"),
        )
    )

    assert policy.clusters == {"kind": NamedCluster(name="kind", context="kind-demo")}
    assert policy.environments["demo"].cluster == "kind"
    assert policy.environments["demo"].digest == DigestSchedule(weekday="sun", hour=23, minute=59)
    assert policy.charters["scaler"].owners.business == "T0LOCAL:U0ANA"
    assert policy.charters["scaler"].acts_for == frozenset({"T0LOCAL:U0BEN"})
    assert policy.charters["scaler"].when_token_revoked is WhenTokenRevoked.FLAG
    asking = policy.rules[1].asking
    assert asking is not None
    assert (asking.quorum, asking.valid_for, asking.owners_may_approve) == (2, timedelta(seconds=90), True)
    assert policy.rules[0] == Rule(name="never", match=Match(), asking=None, reason="Not this year.")


def test_no_agents_owner_needs_slack():
    """An owner who is only at the command line is named by that account."""
    policy = load_policy(
        changed(
            ("  ben: [T0LOCAL:U0BEN]", "  ben: [T0LOCAL:U0BEN]\n  eve: [os:eve]"), ("risk: T0LOCAL:U0MIA", "risk: eve")
        )
    )

    assert policy.charters["scaler"].owners.risk == "os:eve"


@pytest.mark.parametrize(("changes", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_every_mistake_says_where_it_is_and_what_to_do(changes, expected):
    """T-CFG-01: each mistake, exactly: line, column, path, and a sentence in the words of the file."""
    assert mistakes_in(changed(*changes)) == expected


def test_all_mistakes_are_told_at_once():
    """One faulty entry hides nothing in the others, whatever kind its mistake is."""
    faulty = changed(
        ("  ben: [T0LOCAL:U0BEN]", "  ben: [T0LOCAL:U0BEN, T0LOCAL:U0BEN]"),
        ("zone: Europe/Berlin", "zone: Berlin"),
        ("verbs: [scale]", "verbs: [sclae]"),
        ("ceiling: 0.80", "cieling: 0.80"),
        ("approvers: [ops]", "approvers: [opps]"),
        ("    people: [T0LOCAL:U0CYD]", "    people: &cyd [T0LOCAL:U0CYD]"),
    )

    assert [mistake.partition(": ")[2].partition(": ")[0] for mistake in mistakes_in(faulty)] == [
        "people.ben",
        "approvers.dba.people",
        "environments.demo.zone",
        "agents.scaler.verbs[0]",
        "limits.cpu",
        "limits.cpu.cieling",
        "rules[0].ask.approvers[0]",
    ]


def test_mistakes_are_values():
    """A program gets the parts of a mistake; people get all of them as one text."""
    with pytest.raises(PolicyMistakes) as caught:
        load_policy(changed(("version: 1", "version: 3")))

    sentence = "This program reads version 1 of the format, not version 3."
    assert caught.value.mistakes == (PolicyMistake(line=1, column=10, path="version", sentence=sentence),)
    assert str(caught.value) == f"1:10: version: {sentence}"


def test_a_group_may_have_as_many_people_as_it_takes():
    """Nobody can say how many a Slack group has, so no quorum and no resume over one is refused."""
    policy = load_policy(
        changed(
            ("approvers: [ops]", "approvers: [dba]"),
            ("quorum: 1", "quorum: 10"),
            ("may_resume: [ops]", "may_resume: [dba]"),
        )
    )

    assert policy.may_resume == ("dba",)


def test_owners_may_make_a_quorum_where_the_rule_says_so():
    """What is refused because owners are left out loads where the rule lets them in."""
    changes = [("{business: T0LOCAL:U0RIA,", "{business: ana,"), ("quorum: 1", "quorum: 2")]

    assert mistakes_in(changed(*changes)) != []
    assert mistakes_in(changed(*changes, ("risk: low", "risk: low\n      owners_may_approve: true"))) == []


@settings(deadline=None)
@given(st.integers(0, len(BASE)), st.integers(0, 40), st.text("a:-[]{}*&!|>'\"#% \n\t0nulé\u202e\\\x85", max_size=12))
def test_no_file_is_too_strange(start, length, put):
    """I13: whatever stands in a file, it loads or its mistakes are told, each inside the file."""
    text = BASE[:start] + put + BASE[start + length :]

    lines = text.count("\n") + 2
    for mistake in mistakes_in(text.encode()):
        line, column, _ = mistake.split(":", 2)
        assert 1 <= int(line) <= lines
        assert int(column) >= 1


TREES = st.recursive(
    st.sampled_from(["", "x", "1", "*", "ana", "T0LOCAL:U0ANA", "15m", None, True, 7, 0.5]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["", "people", "name", "match", "ask", "x", "[key]", "1"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.data())
def test_no_entry_is_too_strange(data):
    """I13: any entry may hold anything; the rest of the file is still checked and nothing else happens."""
    document = yaml.safe_load(BASE)
    entries = [document]
    while data.draw(st.booleans()) and (
        inside := [one for one in children(entries[-1]) if isinstance(one, (dict, list))]
    ):
        entries.append(data.draw(st.sampled_from(inside)))
    holder = entries[-1]
    key = data.draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))

    holder[key] = data.draw(TREES)

    mistakes_in(json.dumps(document).encode())


def children(entry):
    """Return what is directly inside a list or a mapping."""
    return list(entry.values()) if isinstance(entry, dict) else list(entry)
