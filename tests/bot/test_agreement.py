"""Whether this process has the policy that is in force, and what rules where it has not."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from approvals.audit.events import ITSELF
from approvals.errors import Unavailable
from approvals.usecases.operation.adopt import Adopt
from bot.agreement import Agreement
from bot.policies import PolicyFile
from models.store.policy_in_force import LATELY, LIVE, PolicyInForce
from tests.models.records import let_pass, now_of

SECOND = timedelta(seconds=1)

EXAMPLE = (Path(__file__).parents[2] / "policy.example.yml").read_text()
OTHER = EXAMPLE.replace("description: Above it", "description: Beyond it")


class Replica:
    """One process: its file, and its look at the rows."""

    def __init__(self, store, path: Path, text: str) -> None:
        path.write_text(text)
        self._store = store
        self._path = path
        self.rows = PolicyInForce(store)
        self.policies = PolicyFile(path)
        self._adopt(self.policies.current(), text)
        self.agreement = Agreement(self.rows, self.policies, loaded_at=now_of(store))
        self.agreement.speak_as(path.stem)

    def change(self, text: str) -> None:
        """Have another file, and load it."""
        self._path.write_text(text)
        if self.policies.reload(self._adopt):
            self.agreement.loaded(now_of(self._store))
            self.agreement.look()

    def lead(self) -> None:
        """Put its file in force, if it may be."""
        self.agreement.lead(self.rows.move)

    @property
    def rules_by(self) -> list[str]:
        """The versions by which it rules, its own first."""
        self.agreement.look()
        return [one.version for one in self.policies.current().versions]

    def _adopt(self, policy, text) -> None:
        Adopt(store=self._store)(policy, text, by=ITSELF)


def version_of(text: str) -> str:
    """Return the version of a file that says *text*."""
    return sha256(text.encode()).hexdigest()


OLD, NEW = version_of(EXAMPLE), version_of(OTHER)


@pytest.fixture
def pair(sqlite_store, tmp_path):
    """Two processes with the same file, the first of which leads."""
    leader, follower = (Replica(sqlite_store, tmp_path / f"{name}.yml", EXAMPLE) for name in "ab")
    leader.lead()
    assert follower.rules_by == leader.rules_by
    let_pass(sqlite_store, SECOND)
    return leader, follower


def test_where_all_have_the_same_file_it_rules_alone(pair):
    """Nothing differs, and nothing is said."""
    leader, follower = pair

    assert (leader.rules_by, follower.rules_by) == ([OLD], [OLD])
    assert (leader.agreement.differs, follower.agreement.differs) == (None, None)


def test_until_all_have_a_new_file_both_rule_everywhere(pair):
    """Whichever has it first, the leader too; each of them says so. Once all have it, the leader puts it in force alone."""
    leader, follower = pair
    follower.change(OTHER)

    assert (follower.rules_by, leader.rules_by) == ([NEW, OLD], [OLD, NEW])
    assert NEW[:12] in (follower.agreement.differs or "")
    assert NEW[:12] in (leader.agreement.differs or "")
    leader.change(OTHER)
    assert leader.rules_by == [NEW, OLD]
    leader.lead()
    assert (leader.rules_by, follower.rules_by) == ([NEW], [NEW])
    assert (leader.agreement.differs, follower.agreement.differs) == (None, None)


def test_a_leader_whose_file_changed_does_not_loosen_before_the_others(pair):
    """It puts the new file in force at once; the old one rules beside it for as long as any process has it."""
    leader, follower = pair
    leader.change(OTHER)
    leader.lead()

    assert (leader.rules_by, follower.rules_by) == ([NEW, OLD], [OLD, NEW])


def test_what_ruled_before_a_change_rules_until_the_next_look(pair):
    """A file that is read while the store is away loosens nothing: what it replaced stands beside it."""
    leader, _ = pair
    Path(leader._path).write_text(OTHER)
    leader.policies.reload(lambda *_: None)

    assert [one.version for one in leader.policies.current().versions] == [NEW, OLD]


def test_a_process_that_starts_with_an_older_file_loosens_nothing(pair, sqlite_store, tmp_path):
    """Left behind on its machine, it begins, and leads when the others have died: both rule until none of them is missed."""
    leader, follower = pair
    for one in pair:
        one.change(OTHER)
    leader.lead()
    assert (leader.rules_by, follower.rules_by) == ([NEW], [NEW])
    let_pass(sqlite_store, SECOND)

    stale = Replica(sqlite_store, tmp_path / "c.yml", EXAMPLE)
    seen = [stale.rules_by, leader.rules_by]
    let_pass(sqlite_store, LIVE)
    stale.lead()
    seen.append(stale.rules_by)
    let_pass(sqlite_store, LATELY)
    stale.lead()

    assert seen == [[OLD, NEW], [NEW, OLD], [OLD, NEW]]
    assert stale.rules_by == [OLD]


def test_processes_that_are_replaced_one_by_one_bring_their_file(pair, sqlite_store, tmp_path):
    """A rollout: each new process begins with the new file, each old one ends; with the last of them the old file goes."""
    leader, follower = pair
    seen = []
    for number, old in enumerate((follower, leader)):
        new = Replica(sqlite_store, tmp_path / f"new-{number}.yml", OTHER)
        seen.append(new.rules_by)
        old.agreement.leave()
        let_pass(sqlite_store, SECOND)
        new.lead()
        seen.append(new.rules_by)

    assert seen == [[NEW, OLD], [NEW, OLD], [NEW, OLD], [NEW]]


def test_a_command_rules_by_all_and_is_ruled_by_by_nobody(pair, sqlite_store, tmp_path):
    """It may be given another file than the service has: that is no reason for the service to do less."""
    leader, _ = pair
    path = tmp_path / "command.yml"
    path.write_text(OTHER)
    policies = PolicyFile(path)
    Agreement(leader.rows, policies, loaded_at=now_of(sqlite_store)).look()

    assert [one.version for one in policies.current().versions] == [NEW, OLD]
    assert leader.rules_by == [OLD]


def test_a_version_that_this_release_cannot_read_allows_nothing(pair, sqlite_store):
    """A file of a later release stands beside ours as one that denies everything; a stop is still a stop."""
    leader, follower = pair
    with sqlite_store.writing() as uow:
        unread = follower.policies.current()
        uow.keep_policy(replace(unread, version="f" * 64), "what: ?")
    leader.rows.move("f" * 64, now_of(sqlite_store), is_changed=True)

    assert follower.rules_by == [OLD, "f" * 64]
    (_, beside) = follower.policies.current().versions
    assert (beside.rules, beside.may_resume, beside.may_pause) == ((), (), unread.may_pause)


def test_how_many_replicas_there_are_is_known(pair, sqlite_store, monkeypatch):
    """Those that live are counted. Before the first look, and while the store is away, as many as may be are."""
    leader, follower = pair
    before = Agreement(leader.rows, leader.policies, loaded_at=now_of(sqlite_store)).replicas
    counted = [leader.agreement.replicas]
    follower.agreement.leave()
    leader.agreement.look()
    counted.append(leader.agreement.replicas)

    def away(*_):
        raise Unavailable("The store is away.")

    monkeypatch.setattr(leader.rows, "others", away)
    with pytest.raises(Unavailable):
        leader.agreement.look()

    assert (before, counted, leader.agreement.replicas) == (10, [2, 1], 10)
