"""A reload: what a new policy needs is checked from the moment that it is on record, and nothing is given up before that."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from approvals.errors import Unavailable
from bot.checks.policy_changes import PolicyChanges
from bot.policies import PolicyFile
from tests.builders import NOON

EXAMPLE = (Path(__file__).parents[2] / "policy.example.yml").read_text()
OTHER = EXAMPLE.replace("description: Above it", "description: Beyond it")


class Seen(list[str]):
    """Remembers what was called."""

    def note(self, what):
        """Return what notes that."""
        return lambda *_, **__: self.append(what)


@pytest.fixture
def reload(tmp_path):
    """Takes a changed policy on as a service does, written down by whom it is given; and what that has called."""
    file = tmp_path / "policy.yml"
    file.write_text(EXAMPLE)
    seen = Seen()
    policies, written = PolicyFile(file), seen.note("write down")
    agreement: Any = SimpleNamespace(loaded=seen.note("loaded"), look=seen.note("look"), differs=None)
    legs: Any = SimpleNamespace(good=seen.note("good"))
    file.write_text(OTHER)

    def by(write_down=written):
        PolicyChanges(
            policies=policies,
            agreement=agreement,
            legs=legs,
            now=lambda: NOON,
            write_down=write_down,
            cover=seen.note("cover"),
            reach=seen.note("reach"),
        ).reload()

    return by, seen


def test_what_a_reloaded_policy_needs_is_checked_once_it_is_on_record(reload):
    """Its checks begin before it rules, and its clusters are reached after those hold what is new."""
    by, seen = reload

    by()

    assert seen == ["write down", "cover", "reach", "loaded", "look", "good"]


def test_a_policy_that_cannot_be_written_down_takes_no_check_from_the_one_in_force(reload):
    """While the store is away the old policy goes on ruling, with every check and every cluster that is its own."""
    by, seen = reload

    def refuse(*_, **__):
        raise Unavailable("The store is away.")

    with pytest.raises(Unavailable):
        by(refuse)

    assert seen == []
