"""Policies at random, as plain documents, and what each must become: written again here, from the documentation."""

import json
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import yaml
from hypothesis import strategies as st

from approvals.change.risk import Risk
from approvals.identity.accounts import Installation
from approvals.identity.names import Account, Group
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

PEOPLE = {
    "ana": ["T0LOCAL:U0ANA", "os:ana"],
    "ben": ["T0LOCAL:U0BEN"],
    "cyd": ["T0LOCAL:U0CYD", "T0LOCAL:W0CYD"],
    "ria": ["os:ria", "T0OTHER:U0RIA"],
}
SETS = {
    "ops": {"people": ["ana", "T0LOCAL:U0BEN", "cyd"]},
    "all": {"people": ["ana", "ben", "cyd", "T0LOCAL:U0DAN"]},
    "dba": {"groups": ["T0LOCAL:S0DBA"]},
}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
WORDS = st.sampled_from(
    ["Keeps the shop fast.", "no", "012", "2026-11-21", "a: b # c", "[x]", "grüß Gott", "'", '"', "~x"]
)
AGENTS = ("scaler", "scout")
ENVIRONMENTS = ("demo", "prod-eu-1", "prod-us-1")
NAMESPACES = ("shop", "shipping", "no", "payments")
NAMES = ("checkout", "checkout-2", "cart", "ledger")


def some(*values):
    """Return a strategy for one or more different values, in any order."""
    return st.lists(st.sampled_from(values), min_size=1, unique=True)


CHARTERS = st.fixed_dictionaries(
    {
        "charter": WORDS,
        "owners": st.just({"business": "ria", "technical": "T0LOCAL:U0TIM", "risk": "os:ria"}),
        "verbs": some("scale", "restart"),
        "namespaces": st.dictionaries(st.sampled_from(ENVIRONMENTS), some(*NAMESPACES), min_size=1),
    },
    optional={
        "acts_for": some("ria", "T0LOCAL:U0TIM"),
        "when_token_revoked": st.sampled_from(["cancel", "flag"]),
    },
)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "agents": some("scaler", "scout", "sc*", "*"),
        "environments": some("demo", "prod-*", "prod-eu-1", "*"),
        "namespaces": some("shop", "sh*", "no", "*"),
        "verbs": some("scale", "restart", "*"),
        "kinds": some("Deployment", "StatefulSet", "State*"),
        "names": some("checkout", "checkout*", "c*", "ledger", "*"),
    },
)
TIMEOUTS = st.tuples(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50), st.sampled_from("smh")).map(
    lambda drawn: {
        "least": f"{drawn[0]}{drawn[3]}",
        "default": f"{drawn[0] + drawn[1]}{drawn[3]}",
        "most": f"{drawn[0] + drawn[1] + drawn[2]}{drawn[3]}",
    }
)
ASKS = st.fixed_dictionaries(
    {
        "risk": st.sampled_from(["low", "medium", "high", "critical"]),
        "approvers": some("ops", "all", "dba"),
        "quorum": st.integers(1, 3),
        "timeout": TIMEOUTS,
    },
    optional={"valid_for": st.sampled_from(["90s", "1m", "15m"]), "owners_may_approve": st.booleans()},
)
WIDE_MATCHES: st.SearchStrategy[dict[str, Any]] = st.just({}) | MATCHES
QUESTION = st.fixed_dictionaries({"match": WIDE_MATCHES, "ask": ASKS})
DENIAL = st.fixed_dictionaries({"match": MATCHES, "deny": WORDS})
CLAUSES = st.sampled_from([QUESTION, QUESTION, QUESTION, DENIAL]).flatmap(lambda clause: clause)
"""Mostly questions, and often about everything, so that rules meet."""


def named(clauses):
    """Return *clauses* as rules with names of their own."""
    return [{"name": f"rule-{number}", **clause} for number, clause in enumerate(clauses, start=1)]


CLUSTERS = {"here": {}, "there": {"context": "kind-there"}, "idle": {"context": "kind-idle"}}
CLUSTER_OF_EACH: dict[bool, dict[str, Any]] = {False: {}, True: {"cluster": st.sampled_from(["here", "there"])}}


def policies(*, with_clusters):
    """Return a strategy for policies that name their clusters, or for ones that do not."""
    return st.fixed_dictionaries(
        {
            **({"clusters": st.just(CLUSTERS)} if with_clusters else {}),
            "version": st.just(1),
            "installation": st.sampled_from(["lab", "a", "a1234567890123456789"]),
            "people": st.just(PEOPLE),
            "approvers": st.just(SETS),
            "pausing": st.fixed_dictionaries(
                {"may_pause": some("ops", "all", "dba"), "may_resume": some("ops", "all")}
            ),
            "environments": st.fixed_dictionaries(
                {
                    name: st.fixed_dictionaries(
                        {
                            "channel": st.sampled_from(["T0LOCAL:C0ONE", "T0LOCAL:G0TWO"]),
                            "zone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
                            "digest": st.fixed_dictionaries(
                                {
                                    "weekday": st.sampled_from(["monday", "sunday"]),
                                    "at": st.sampled_from(["00:00", "09:05", "23:59"]),
                                }
                            ),
                            **CLUSTER_OF_EACH[with_clusters],
                        }
                    )
                    for name in ENVIRONMENTS
                }
            ),
            "agents": st.fixed_dictionaries(dict.fromkeys(AGENTS, CHARTERS)),
            "rules": st.lists(CLAUSES, min_size=1, max_size=5).map(named),
        },
        optional={
            "limits": st.fixed_dictionaries(
                {
                    "cpu": st.fixed_dictionaries(
                        {"ceiling": st.sampled_from([0, 1, 0.8, 12.125]), "unit": WORDS, "description": WORDS}
                    )
                }
            )
        },
    )


POLICIES = policies(with_clusters=False) | policies(with_clusters=True)


class _Writer(yaml.SafeDumper):
    def ignore_aliases(self, data):
        """Write everything out, as a policy must."""
        return True


def as_json(document):
    """Return the document's bytes as JSON, which is YAML too."""
    return json.dumps(document, ensure_ascii=False).encode()


def as_yaml(document):
    """Return the document's bytes as a person would rather write them."""
    return yaml.dump(document, Dumper=_Writer, allow_unicode=True, sort_keys=False).encode()


def accounts_of(who):
    """Return the Slack accounts of one entry."""
    return {account for account in PEOPLE.get(who, [who]) if not account.startswith("os:")}


def duration_of(text):
    """Return the duration that a text such as 15m means."""
    return timedelta(seconds=int(text[:-1]) * SECONDS[text[-1]])


def expected_policy(document, data):
    """Return the policy that *document*, written as *data*, must become."""
    return Policy(
        version=sha256(data).hexdigest(),
        installation=Installation(name=document["installation"]),
        clusters={
            name: NamedCluster(name=name, context=one.get("context"))
            for name, one in document.get("clusters", {"main": {}}).items()
        },
        environments={name: expected_environment(name, one) for name, one in document["environments"].items()},
        charters={name: expected_charter(name, one) for name, one in document["agents"].items()},
        approver_sets={
            name: ApproverSet(
                name=name,
                accounts=frozenset(account for who in one.get("people", []) for account in accounts_of(who)),
                groups=frozenset(Group(group) for group in one.get("groups", [])),
            )
            for name, one in SETS.items()
        },
        may_pause=tuple(document["pausing"]["may_pause"]),
        may_resume=tuple(document["pausing"]["may_resume"]),
        people=People(names={Account(account): name for name, accounts in PEOPLE.items() for account in accounts}),
        limits={
            name: Limit(
                name=name, ceiling=Decimal(str(one["ceiling"])), unit=one["unit"], description=one["description"]
            )
            for name, one in document.get("limits", {}).items()
        },
        rules=tuple(expected_rule(one) for one in document["rules"]),
        teams=frozenset({"T0LOCAL"}),
    )


def expected_environment(name, one):
    """Return the environment that its entry must become."""
    hour, minute = map(int, one["digest"]["at"].split(":"))
    return Environment(
        name=name,
        channel=one["channel"],
        zone=one["zone"],
        digest=DigestSchedule(weekday=one["digest"]["weekday"][:3], hour=hour, minute=minute),
        cluster=one.get("cluster", "main"),
    )


def expected_charter(name, one):
    """Return the charter that an agent's entry must become; an owner signs by the first Slack account there is."""
    return Charter(
        agent=name,
        purpose=one["charter"],
        owners=Owners(business=Account("T0OTHER:U0RIA"), technical=Account("T0LOCAL:U0TIM"), risk=Account("os:ria")),
        verbs=frozenset(one["verbs"]),
        namespaces={environment: frozenset(names) for environment, names in one["namespaces"].items()},
        acts_for=frozenset(account for who in one.get("acts_for", []) for account in accounts_of(who)),
        when_token_revoked=WhenTokenRevoked(one.get("when_token_revoked", "cancel")),
    )


def expected_rule(one):
    """Return the rule that its entry must become."""
    asking = None
    if "ask" in one:
        ask = one["ask"]
        asking = Asking(
            risk=Risk(ask["risk"]),
            approvers=tuple(ask["approvers"]),
            quorum=ask["quorum"],
            timeout=Timeout(**{which: duration_of(text) for which, text in ask["timeout"].items()}),
            valid_for=duration_of(ask.get("valid_for", "15m")),
            owners_may_approve=ask.get("owners_may_approve", False),
        )
    match = Match(**{dimension: frozenset(patterns) for dimension, patterns in one["match"].items()})
    return Rule(name=one["name"], match=match, asking=asking, reason=one.get("deny", ""))
