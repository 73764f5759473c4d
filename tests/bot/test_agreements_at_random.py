"""Processes that start, get other files, lead, die and end in any order: none ever allows what one of them forbids (I10).

The model knows what every living process has, and which version came into force last; it is asked after each step.
"""

import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from models.engine.database import open_database
from models.store.policy_in_force import LATELY, LIVE
from tests.bot.test_agreement import EXAMPLE, Replica, version_of
from tests.fixtures.stores import a_store
from tests.models.records import let_pass

SECOND = timedelta(seconds=1)
FILES = [EXAMPLE, *(f"{EXAMPLE}\n# edition {number}\n" for number in range(2))]
NAMES = "abc"


class Processes(RuleBasedStateMachine):
    """Up to three processes on one store."""

    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        database = Path(self.folder.name) / "countersign.db"
        shutil.copy(self.template, database)
        self.database = open_database(f"sqlite:///{database}")
        self.store = a_store(self.database)
        self.passed = timedelta(0)
        self.living: dict[str, Replica] = {}
        self.has: dict[str, str] = {}
        self.missed: dict[str, tuple[str, timedelta]] = {}
        """What those had that died without a word, and when."""
        self.in_force: str | None = None

    @rule(name=st.sampled_from(NAMES), file=st.sampled_from(FILES))
    def start(self, name: str, file: str) -> None:
        """A process begins, also in the place of one that runs or died: it is called the same."""
        self._pass(SECOND)
        self.living[name] = Replica(self.store, Path(self.folder.name) / f"{name}.yml", file)
        self.has[name] = version_of(file)
        self.missed.pop(name, None)
        self.living[name].agreement.look()

    @precondition(lambda self: self.living)
    @rule(data=st.data(), file=st.sampled_from(FILES))
    def change(self, data: st.DataObject, file: str) -> None:
        """A process that runs gets another file."""
        self._changes(data.draw(st.sampled_from(sorted(self.living))), file)

    @precondition(lambda self: self.living)
    @rule(data=st.data(), dies=st.booleans())
    def end(self, data: st.DataObject, *, dies: bool) -> None:
        """A process ends, in good order or not."""
        name = data.draw(st.sampled_from(sorted(self.living)))
        gone, had = self.living.pop(name), self.has.pop(name)
        if dies:
            self.missed[name] = (had, self.passed)
            self._pass(LIVE)
        else:
            gone.agreement.leave()

    @precondition(lambda self: self.living)
    @rule(data=st.data())
    def lead(self, data: st.DataObject) -> None:
        """One of them leads, and its file comes into force if it was changed, or where all have it and nobody is missed."""
        self._leads(data.draw(st.sampled_from(sorted(self.living))))

    @precondition(lambda self: self.missed)
    @rule()
    def forget(self) -> None:
        """So much time passes that those who died are missed no more."""
        self._pass(LATELY)
        self.missed.clear()

    @invariant()
    def none_allows_what_another_forbids(self) -> None:
        """Every process rules by its own version, by that of every other that lives, and by the one in force."""
        counting = {*self.has.values(), *([self.in_force] if self.in_force else [])}
        for name, one in self.living.items():
            ruling = one.rules_by
            assert ruling[0] == self.has[name]
            assert sorted(ruling) == sorted(counting)

    def teardown(self) -> None:
        """With one file everywhere, and nobody missed, that file alone rules in the end."""
        self._pass(LATELY)
        self.missed.clear()
        for name in self.living:
            self._changes(name, FILES[1])
            self._changes(name, FILES[0])
        for name in self.living:
            self._leads(name)
            assert self.in_force == version_of(FILES[0])
        self.none_allows_what_another_forbids()
        self.database.close()
        self.folder.cleanup()

    def _changes(self, name: str, file: str) -> None:
        self._pass(SECOND)
        self.living[name].change(file)
        self.has[name] = version_of(file)

    def _leads(self, name: str) -> None:
        self._pass(SECOND)
        one, moved = self.living[name], []

        def move(version: str, loaded_at, *, is_changed: bool) -> bool:
            moved.append((one.rows.move(version, loaded_at, is_changed=is_changed), is_changed))
            return moved[-1][0]

        one.agreement.lead(move)
        ((has_moved, is_changed),) = moved
        if has_moved:
            dead = {had for had, since in self.missed.values() if self.passed - since < LATELY - LIVE}
            assert self.in_force is None or is_changed or {*self.has.values(), *dead} == {self.has[name]}
            self.in_force = self.has[name]

    def _pass(self, duration: timedelta) -> None:
        """Let time pass; whoever lives has said meanwhile what it has."""
        self.passed += duration
        let_pass(self.store, duration)
        for name, one in self.living.items():
            one.rows.say(name, self.has[name])


@pytest.mark.slow
def test_no_order_of_starts_changes_and_ends_loosens_anything(sqlite_template):
    """I10: see the model."""
    Processes.template = sqlite_template

    # A failure is not made smaller, which would take minutes: the steps that are printed are twenty at most.
    phases = (Phase.reuse, Phase.generate)
    run_state_machine_as_test(
        Processes, settings=settings(max_examples=10, stateful_step_count=20, deadline=None, phases=phases)
    )
