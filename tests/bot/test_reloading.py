"""A reload: what a new policy needs is checked from the moment that it is on record, and nothing is given up before that."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from approvals.errors import Unavailable
from bot.policies import PolicyFile
from bot.serving import Serving

EXAMPLE = (Path(__file__).parents[2] / "policy.example.yml").read_text()
OTHER = EXAMPLE.replace("description: Above it", "description: Beyond it")


class Seen(list[str]):
    """Remembers what was called."""

    def note(self, what):
        """Return what notes that."""
        return lambda *_, **__: self.append(what)


@pytest.fixture
def serving(tmp_path):
    """The part of a service that takes a changed policy on, over a file; and what it has called."""
    file = tmp_path / "policy.yml"
    file.write_text(EXAMPLE)
    seen = Seen()
    made: Any = Serving.__new__(Serving)
    made._application = SimpleNamespace(
        policies=PolicyFile(file), grow_sources=seen.note("grow"), store=SimpleNamespace(now=lambda: None)
    )
    made.agreement = SimpleNamespace(loaded=seen.note("loaded"), look=seen.note("look"), differs=None)
    made._checks = made._fences = SimpleNamespace(of=lambda _: ())
    made.checking = made.watching = SimpleNamespace(cover=seen.note("cover"))
    made.legs = SimpleNamespace(good=seen.note("good"))
    made.verbs = SimpleNamespace(adopt=seen.note("adopt"))
    file.write_text(OTHER)
    return made, seen


def test_what_a_reloaded_policy_needs_is_checked_once_it_is_on_record(serving):
    """Its checks begin before it rules, and its clusters are reached after those hold what is new."""
    made, seen = serving

    made._reload()

    assert seen == ["adopt", "cover", "cover", "grow", "loaded", "look", "good"]


def test_a_policy_that_cannot_be_written_down_takes_no_check_from_the_one_in_force(serving):
    """While the store is away the old policy goes on ruling, with every check and every cluster that is its own."""
    made, seen = serving

    def refuse(*_, **__):
        raise Unavailable("The store is away.")

    made.verbs = SimpleNamespace(adopt=refuse)
    with pytest.raises(Unavailable):
        made._reload()

    assert seen == []
