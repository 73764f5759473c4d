"""Tests of :mod:`tools.mutation_score`."""

import json

import pytest

from tools.mutation_score import main

RUN = {
    "killed": 85,
    "timeout": 5,
    "survived": 8,
    "no_tests": 2,
    "skipped": 10,
    "suspicious": 0,
    "segfault": 0,
    "total": 110,
    "check_was_interrupted_by_user": 0,
}


@pytest.fixture
def judge(tmp_path):
    """A function that judges a run with these counts."""

    def judge_run(**changes):
        statistics = tmp_path / "statistics.json"
        statistics.write_text(json.dumps(RUN | changes))
        return main(["--floor", "90", "--statistics", str(statistics)])

    return judge_run


def test_the_floor_itself_is_enough(judge, capsys):
    """Hanging counts as noticed, skipped mutants do not count, and the floor may be met exactly."""
    code = judge()

    assert (code, capsys.readouterr().out) == (0, "90 of 100 planted faults noticed: 90.0 % (at least 90 %)\n")


@pytest.mark.parametrize(
    "changes",
    [{"killed": 84, "survived": 9}, {"killed": 84, "no_tests": 3}, {"check_was_interrupted_by_user": 1}, {"total": 10}],
    ids=["one more lived", "one more was never run", "interrupted", "nothing was planted"],
)
def test_anything_less_fails(judge, changes):
    """A share under the floor fails, and so does a run that is not whole."""
    code = judge(**changes)

    assert code == 1
