"""Names of people, places and questions: one parser a kind, and nothing that is not of that kind gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.errors import Malformed
from approvals.identity.names import (
    Account,
    account_of,
    channel_of,
    escalation_id,
    group_of,
    id_of,
    is_escalation_id,
    is_operator,
    is_slack_account,
    operator,
    slack_account,
    team_of,
)
from tests.builders import ADA, CHANNEL, ESCALATION, GROUP, TEAM

IDS = st.text("ABCXYZ0189", min_size=2, max_size=20)
TEAMS = st.builds(lambda kind, rest: kind + rest, st.sampled_from("TE"), IDS)
USERS = st.builds(lambda kind, rest: kind + rest, st.sampled_from("UW"), IDS)
CHANNELS = st.builds(lambda kind, rest: kind + rest, st.sampled_from("CG"), IDS)
GROUPS = st.builds(lambda rest: f"S{rest}", IDS)
OPERATORS = st.from_regex(r"[a-z_][a-z0-9_-]{0,31}", fullmatch=True)
PARSERS = {
    "account": (account_of, "An account is TEAM:USER, such as T0123ABCD:U0123ABCD, or os:NAME."),
    "channel": (channel_of, "A channel is TEAM:CHANNEL, such as T0123ABCD:C0123ABCD."),
    "group": (group_of, "A user group is TEAM:SUBTEAM, such as T0123ABCD:S0123ABCD."),
    "escalation": (escalation_id, "An escalation's id is esc_ and 26 capital letters and digits."),
}
FITTING = {"account": ADA, "channel": CHANNEL, "group": GROUP, "escalation": ESCALATION}


@given(TEAMS, USERS, OPERATORS)
def test_an_account_is_read_as_it_is_written(team, user, name):
    """Both kinds come back as they were, and come apart into workspace and id."""
    there, here = account_of(f"{team}:{user}"), account_of(f"os:{name}")

    assert (there, team_of(there), id_of(there)) == (slack_account(team, user), team, user)
    assert (here, team_of(here), id_of(here)) == (operator(name), "os", name)
    assert (is_slack_account(there), is_operator(there), is_slack_account(here), is_operator(here)) == (
        True,
        False,
        False,
        True,
    )


@given(TEAMS, CHANNELS, GROUPS)
def test_a_channel_and_a_group_are_read_as_they_are_written(team, channel, group):
    """Each comes back as it was, and comes apart into workspace and id."""
    there, them = channel_of(f"{team}:{channel}"), group_of(f"{team}:{group}")

    assert (team_of(there), id_of(there), team_of(them), id_of(them)) == (team, channel, team, group)


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize("other", FITTING)
def test_one_kind_is_never_taken_for_another(kind, other):
    """What one parser reads every other refuses, in words that say what it wants."""
    parse, sentence = PARSERS[kind]

    if kind == other:
        assert parse(FITTING[other]) == FITTING[other]
    else:
        with pytest.raises(Malformed) as refusal:
            parse(FITTING[other])
        assert refusal.value.sentence == sentence


@pytest.mark.parametrize("kind", PARSERS)
@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_:\n ]{0,45}", fullmatch=True))
def test_whatever_is_read_has_the_form_that_is_promised(kind, text):
    """Any text is read as it is or refused; nothing is trimmed, folded or guessed, and a line break is no part of any."""
    parse, _ = PARSERS[kind]
    try:
        found = parse(text)
    except Malformed:
        return

    assert found == text
    assert text == text.strip()
    assert text.isascii()


@pytest.mark.parametrize("text", [f"{ADA}\n", f" {ADA}", ADA.lower(), f"{ADA}:x", "T0:U0", TEAM, "os:", "os:Olga", ":"])
def test_what_only_looks_like_an_account_is_none(text):
    """A line break at the end, other case, a part too many or too few."""
    with pytest.raises(Malformed):
        account_of(text)


@given(TEAMS, st.text(max_size=8))
def test_slack_names_people_in_its_own_form_only(team, user):
    """What is no id of Slack's makes no account, so a name that somebody chose cannot become one."""
    if not is_slack_account(f"{team}:{user}"):
        with pytest.raises(Malformed):
            slack_account(team, user)


def test_whoever_the_machine_calls_by_a_strange_name_can_still_stop_things():
    """At the command line the machine says who it is; a stop is not refused for a name."""
    assert operator("CORP\\Olga") == Account("os:CORP\\Olga")


def test_an_escalations_id_is_told_from_other_subjects():
    """What stands on a card is a request, a pause or an alert."""
    assert [is_escalation_id(one) for one in (ESCALATION, "esc_1", "pause_01JD00000000000000000000", "")] == [
        True,
        False,
        False,
        False,
    ]
