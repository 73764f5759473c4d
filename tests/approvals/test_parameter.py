"""Parameters: each kind takes what it says, at both ends of its bounds, and nothing else."""

import pytest

from approvals.errors import Malformed
from approvals.verbs.parameter import Choice, Switch, WholeNumber, Word

NUMBER = WholeNumber(name="replicas", least=0, most=1000, description="How many.")
CHOICE = Choice(name="mode", options=("slow", "fast"), description="How.")
WORD = Word(name="reason", form="[a-z]+(-[a-z]+)*", longest=7, description="Why.")
SWITCH = Switch(name="force", description="Whether.")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (NUMBER, 0),
        (NUMBER, 1000),
        (CHOICE, "slow"),
        (CHOICE, "fast"),
        (WORD, "a"),
        (WORD, "abc-def"),
        (SWITCH, True),
        (SWITCH, False),
    ],
)
def test_what_a_parameter_takes(parameter, value):
    """Both ends of a bound are included, and each choice is one."""
    parameter.check(value)


@pytest.mark.parametrize(
    ("parameter", "value", "code", "sentence"),
    [
        (NUMBER, "6", "wrong_type", "replicas is a whole number."),
        (NUMBER, True, "wrong_type", "replicas is a whole number."),
        (NUMBER, -1, "out_of_range", "replicas is from 0 to 1000."),
        (NUMBER, 1001, "out_of_range", "replicas is from 0 to 1000."),
        (CHOICE, 1, "wrong_type", "mode is a word."),
        (CHOICE, True, "wrong_type", "mode is a word."),
        (CHOICE, "Slow", "out_of_range", "mode is one of slow, fast."),
        (CHOICE, "", "out_of_range", "mode is one of slow, fast."),
        (WORD, 1, "wrong_type", "reason is a word."),
        (WORD, "", "out_of_range", "reason is at most 7 characters of the form [a-z]+(-[a-z]+)*."),
        (WORD, "abcdefgh", "out_of_range", "reason is at most 7 characters of the form [a-z]+(-[a-z]+)*."),
        (WORD, "ab\n", "out_of_range", "reason is at most 7 characters of the form [a-z]+(-[a-z]+)*."),
        (SWITCH, 1, "wrong_type", "force is true or false."),
        (SWITCH, "yes", "wrong_type", "force is true or false."),
    ],
)
def test_what_a_parameter_refuses(parameter, value, code, sentence):
    """I18: a value of another type or out of bounds is refused by its place, and never repeated."""
    with pytest.raises(Malformed) as refused:
        parameter.check(value)

    assert (refused.value.code, refused.value.field, refused.value.sentence) == (
        code,
        f"/action/parameters/{parameter.name}",
        sentence,
    )
