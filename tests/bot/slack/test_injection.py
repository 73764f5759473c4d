"""Untrusted text on cards: whatever an agent writes, the trusted part, its place and what is live stay the same (I8)."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.identity.names import Account
from approvals.workflow.alert import Cut
from bot.outbox.delivery import DrawReason, ThreadEvent
from bot.slack.kit.message import checked
from bot.slack.messages.agent_part import AGENT
from bot.slack.messages.alert_message import ALERTS, alert_message
from bot.slack.messages.pause_message import PauseNotice, pause_message
from bot.slack.messages.thread_message import thread_message
from tests.bot.slack.office import text_of
from tests.bot.slack.pictures import RATIONALE, a_card, a_standing_of, live, problems, short_fingerprint, words
from tests.builders import a_pause, an_alert, an_alert_group

NASTY = st.text(
    st.one_of(
        st.sampled_from("<>&|@#!:*_~`>^\\{}[]()\n\r\t /-+=\"'"),
        st.sampled_from("\u202e\u2066\u200b\u00ad\ufe0f\u3164\u2028\u0000\u001b\U000e0041✅🔒\u0440\u0301"),
        st.characters(codec="utf-8"),
    ),
    max_size=400,
)
LARGE = {"SPACES": " " * 50_000, "LINES": "\n" * 500, "LONG": "y" * 3_000}
TOKENS = st.lists(
    st.sampled_from(
        [
            "<!channel>", "<!here>", "<!everyone>", "<@U0ADA>", "<!subteam^S0PROD>", "<#C0PROD>", "<https://evil.example|ok>",
            "https://evil.example", "slack://x", "mailto:a@b.example", "@here", "@channel", "#general", ":white_check_mark:",
            "*Approved by Ada*", "```", "> quote", "&lt;!channel&gt;", "\n", "SPACES", "LINES", "Fingerprint 000000000000",
            "xoxb-1234567890-abcdefghijkl", "<!date^1^{date}|x>", "\u202e", "Our own checks", "Approve", "LONG",
        ]
    ),
    max_size=12,
).map(lambda tokens: " ".join(LARGE.get(token, token) for token in tokens))  # fmt: skip


def _trusted(card):
    return [block for block in card.blocks if not block["block_id"].startswith(f"{AGENT}:")]


BASE = a_card()


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(rationale=st.one_of(NASTY, TOKENS), title=NASTY, text=st.one_of(NASTY, TOKENS))
def test_no_text_of_an_agent_moves_a_byte_of_the_trusted_part(rationale, title, text):
    """T-RND-01..06, 09, 12, 13: byte for byte the same card around it, nothing live in it, Slack's limits always met."""
    said = words(rationale, **{"evidence 1 title": title, "evidence 1 text": text})

    card = a_card(a_standing_of(said=said))

    assert _trusted(card) == _trusted(BASE)
    assert [block["block_id"] for block in card.blocks] == [block["block_id"] for block in BASE.blocks]
    assert card.text == BASE.text
    assert live(card) == live(BASE)
    assert problems(card) == []


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(rationale=st.one_of(NASTY, TOKENS))
def test_the_agents_block_holds_literal_text_and_nothing_else(rationale):
    """T-RND-01, 02, 03: every element under the agent's title is plain text in a quotation, and none of it is invisible."""
    card = a_card(a_standing_of(said=words(rationale)))

    (block,) = [one for one in card.blocks if one["block_id"].startswith(f"{AGENT}:")]
    title, *parts = block["elements"]
    assert {part["type"] for part in parts} <= {"rich_text_quote", "rich_text_section"}
    assert {inner["type"] for part in block["elements"] for inner in part["elements"]} == {"text"}
    assert title["elements"][0]["text"] == "The agent says (untrusted, not part of what is approved)"
    for part in parts:
        if part["type"] == "rich_text_quote":
            assert _is_plain(part["elements"][-1]["text"]), ascii(part)


def _is_plain(text):
    """Tell whether a text holds only what a reader sees: written here anew, so that it cannot share a mistake."""
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return all(
        one in " \n" or (unicodedata.category(one) not in hidden and unicodedata.category(one)[0] != "Z")
        for one in text
    )


def test_an_urgent_claim_changes_nothing_but_the_quotation():
    """T-RND-12: 'CEO approved, click now' is shown as an unverified claim; risk, wording and order stay."""
    card = a_card(
        a_standing_of(said=words("URGENT outage!! The CEO approved this, it is only a test, click Approve NOW"))
    )

    assert _trusted(card) == _trusted(BASE)


def test_a_forged_review_stays_inside_the_quotation():
    """T-RND-13: a rationale shaped like our own part, with a fake fingerprint, stands in the agent's block alone."""
    forged = "Our own checks\n• Nothing against it.\n\nFingerprint ffffffffffff · esc_01JD0000000000000000000000"

    card = a_card(a_standing_of(said=words(forged)))

    assert _trusted(card) == _trusted(BASE)
    assert f"Fingerprint {short_fingerprint()}" in text_of(card.blocks[-1])
    assert text_of(_trusted(card)).count("ffffffffffff") == 0


def test_a_long_rationale_is_cut_with_its_length():
    """T-RND-09: what is left out of the agent's words is counted."""
    card = a_card(a_standing_of(said=words("word " * 5_000)))

    assert "… (24,999 characters in all)" in text_of(card.blocks)


def test_what_was_erased_is_said_to_be():
    """An erased text leaves its place, not a gap."""
    card = a_card(a_standing_of(said=words(RATIONALE).__class__(texts={}, breaches=(), confidence=None, limits={})))

    assert "(erased)" in text_of(card.blocks)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    texts=st.dictionaries(st.one_of(NASTY, TOKENS), st.one_of(NASTY, TOKENS), max_size=20),
    count=st.sampled_from([1, 3, 99]),
)
def test_no_text_of_a_monitor_becomes_live(texts, count):
    """Labels and annotations are a stranger's words: shown, counted, never live (T-RND-14 for alert names)."""
    said = {f"label {name}": text for name, text in texts.items()}
    group = an_alert_group(total=count, firing=count, cut=dict.fromkeys(Cut, 9))

    message = checked(alert_message(group, [(an_alert(), said)] * min(count, ALERTS), revision=1))

    assert {kind for kind, _ in live(message)} <= set()
    assert problems(message) == []


@settings(max_examples=60, deadline=None)
@given(reason=st.one_of(NASTY, TOKENS))
def test_no_reason_of_a_person_becomes_live(reason):
    """People's words are quoted like anybody's: on a pause's notice, on a denied card, in the thread."""
    pause = a_pause()
    told = ThreadEvent(subject="esc_1", kind="request.voted", actor=pause.by, data=_vote(), texts={"reason": reason})

    notice = checked(
        pause_message(
            PauseNotice(
                pause=pause,
                consents=(),
                reason=reason,
                reasons_to_resume=((pause.by, reason), (Account("os:olga"), reason)),
            ),
            revision=1,
            occasion=DrawReason.FIRST,
        )
    )
    thread = checked(thread_message((told,)))

    assert live(notice) == [("user", "U0ADA")] * 2
    assert live(thread) == [("user", "U0ADA")]
    assert problems(notice) + problems(thread) == []


def _vote():
    return {"vote": {"answer": "deny", "via": "slack", "remembered": False}}


@pytest.mark.parametrize("actor", ["agent:scaler", "token:tok_1", "os:olga"])
def test_only_people_are_mentioned(actor):
    """What is no Slack account is named in words: an agent's name can never become somebody's mention."""
    told = ThreadEvent(subject="esc_1", kind="request.voted", actor=actor, data=_vote(), texts={})

    assert live(thread_message((told,))) == []
