"""One pass: a mistake is told whatever else is wrong, so that nobody mends one only to hear of the next."""

import re
from functools import cache

import pytest

from tests.models.policy.cases import MISTAKES
from tests.models.policy.texts import BASE, changed, mistakes_in

BESIDE = {
    "a risk in the same rule": ("risk: low", "risk: severe"),
    "times in the same rule": ("default: 15m", "default: 900"),
    "a charter in the same agent": ("charter: Keeps the shop fast.", "charter:"),
    "a digest in the same environment": ("at: 09:00", "at: 24:00"),
    "who may pause": ("may_pause: [ops, dba]", "may_pause: [ops, dba, ops]"),
}
"""Faults that have nothing to do with what else stands in their entry."""


@cache
def _told(*changes):
    """Return the sentences on the small policy after *changes*, without the places that other changes move."""
    lines = (line.partition(": ")[2].partition(": ")[2] for line in mistakes_in(changed(*changes)))
    return {re.sub(r" on line \d+", "", line) for line in lines}


def _apply(changes):
    text = BASE
    for old, new in changes:
        if text.count(old) != 1:
            return False
        text = text.replace(old, new)
    return True


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_no_mistake_hides_another(beside):
    """Every mistake that a policy can hold is told beside a fault of its neighbour, and so is the fault."""
    hidden = {}
    for name, (changes, _) in MISTAKES.items():
        if not _apply([*changes, beside]):
            continue
        expected = _told(*changes) | _told(beside)
        if missing := expected - _told(*changes, beside):
            hidden[name] = missing

    assert hidden == {}


def test_everything_that_is_wrong_is_told_at_once():
    """Structure, names, references, clusters, doubles, channels and numbers of people, several in one entry: one list."""
    data = changed(
        ("installation: lab", "installation: The-Lab"),
        ("  ben: [T0LOCAL:U0BEN]", "  ben: [T0LOCAL:U0BEN, os:ana]"),
        (
            "environments:\n",
            "clusters:\n  main: {}\n  west: {}\nenvironments:\n",
        ),
        ("channel: T0LOCAL:C0APPROVALS", "channel: '#approvals'\n    cluster: wset"),
        ("{business: T0LOCAL:U0RIA,", "{business: rai, spare: ana,"),
        ("verbs: [scale]", "verbs: [sclae]"),
        ("{demo: [shop]}", "{demoo: [kube-system]}"),
        ("{environments: [demo]}", "{environments: [dmeo]}"),
        ("risk: low", "risk: severe"),
        ("quorum: 1", "quorum: 3"),
        ("    ask:\n", "    deny: Never.\n    ask:\n"),
    )

    assert [line.partition(": ")[2].partition(": ")[0] for line in mistakes_in(data)] == [
        "installation",
        "people.ben[1]",
        "clusters.west",
        "environments.demo.channel",
        "environments.demo.cluster",
        "agents.scaler.owners.business",
        "agents.scaler.owners.spare",
        "agents.scaler.verbs[0]",
        "agents.scaler.namespaces.demoo",
        "agents.scaler.namespaces.demoo[0]",
        "rules[0]",
        "rules[0].match.environments[0]",
        "rules[0].ask.risk",
        "rules[0].ask.quorum",
    ]
