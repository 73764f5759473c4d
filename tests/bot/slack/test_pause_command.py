"""/agent-pause: the grammar, and what each form of it does, end to end."""

import time
from datetime import timedelta

import pytest

from approvals.presentation.wording import UNKNOWN_FORM, Stop
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import State
from bot.slack.inbound.commands import BROKEN, GRAMMAR, Off, ShowStatus, wish_of
from models.outbox.redraws import Redraws
from tests.bot.slack.office import text_of
from tests.builders import ADA, BORIS, DINA, MINUTE, a_policy, a_rule, an_asking
from tests.world import FixedPolicies

ALL = Scope(kind=ScopeKind.ALL)
AGENT = Scope(kind=ScopeKind.AGENT, name="scaler")
NAMESPACE = Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop")
PAUSE = "pause_01JD0000000000000000000000"


@pytest.mark.parametrize(
    ("typed", "wish"),
    [
        ("status", ShowStatus()),
        ("  status ", ShowStatus()),
        ("on", Stop(scope=ALL)),
        ("On.", Stop(scope=ALL)),
        ("“stop”", Stop(scope=ALL)),
        ("/agent-pause On", Stop(scope=ALL)),
        ("agent-pause /agent-pause status", ShowStatus()),
        ("on 2h the sale", Stop(scope=ALL, duration=timedelta(hours=2), reason="the sale")),
        ("on agent:scaler 1d it misbehaves", Stop(scope=AGENT, duration=timedelta(days=1), reason="it misbehaves")),
        ("on namespace:prod-eu-1/shop a &lt; b", Stop(scope=NAMESPACE, reason="a < b")),
        ("on ns:prod", Stop(scope=ALL, reason="ns:prod", remark=UNKNOWN_FORM)),
        ("on namespace:prod", Stop(scope=ALL, reason="namespace:prod", remark=UNKNOWN_FORM)),
        ("off", Off(pause=None)),
        ("OFF", Off(pause=None)),
        ("resume", Off(pause=None)),
        (f"off {PAUSE}", Off(pause=PAUSE)),
        (f"off {PAUSE} all good \x00again\ud800", Off(pause=PAUSE, reason="all good again\ufffd")),
        (f"Off {PAUSE}", Off(pause=None)),
        (f"off {PAUSE.lower()}", Off(pause=None)),
        (f"of {PAUSE}", None),
        (f"resume {PAUSE}", Off(pause=None)),
        ("off everything", Off(pause=None)),
        ("off pause_1", Off(pause=None)),
        ("", None),
        ("help", None),
        ("of", None),
        ("status now", None),
    ],
)
def test_the_grammar(typed, wish):
    """A stop is read as generously as it can be, a resume exactly; anything else is nothing."""
    assert wish_of(typed) == wish


@pytest.mark.parametrize("odd", [" ", "\t\u3000", "/", "agent-pause ", "/agent-pause", "&lt;", ":", "\u200b", "x "])
def test_a_long_text_is_read_in_linear_time(odd):
    """Four times as much takes about four times as long: nobody's clicks wait for what somebody pasted."""

    def seconds(length: int) -> float:
        text = ("/agent-pause " + odd * length)[:length] + "."
        times = []
        for _ in range(5):
            began = time.process_time()
            wish_of(text)
            times.append(time.process_time() - began)
        return min(times)

    assert seconds(20_000) < 8 * max(seconds(5_000), 0.0005)


@pytest.mark.parametrize(
    "again", ["agent-pause", "/agent-pause", "/Agent-Pause\t", "/agent-pause " * 3, "\n /AGENT-PAUSE"]
)
def test_the_command_itself_may_be_typed_again(again):
    """It is left out wherever it leads, whatever stands around it; alone it is nothing."""
    assert wish_of(f"{again} on agent:scaler") == Stop(scope=AGENT)
    assert wish_of(f"{again} status") == ShowStatus()
    assert wish_of(again) is None


@pytest.mark.parametrize(
    "typed",
    [
        "On", "on.", "stop", "puase", "\uff2f\uff2e", "“on”", "on ns:prod", "on namespace:prod", "on prod/shop",
        "on \x00\ud800 quick", "on " + "x" * 10_000, "o\u200bn all",
    ],
)  # fmt: skip
def test_a_stop_as_a_hurried_thumb_types_it(either_office, typed):
    """However it is typed, everything is stopped, and the answer says that it is everything."""
    said = either_office.command("U0ADA", typed)

    with either_office.store.reading() as reading:
        assert [str(pause.scope) for pause in reading.pauses()] == ["all"]
    assert said.startswith("*Paused: everything.*")
    assert ("names no scope in a form that is known" in said) == (":prod" in typed or "/" in typed)


@pytest.mark.parametrize(
    "typed", ["", "help", "?", "of", "offf", "OFF", "resume", "un-pause", "shrug", "on agent:scalar"]
)
def test_what_stops_nothing_says_so_first(office, typed):
    """Whoever meant a stop must not go away believing in one."""
    said = office.command("U0ADA", typed)

    with office.store.reading() as reading:
        assert reading.pauses() == ()
    assert said.startswith("Nothing was paused")


def test_on_stops_at_once(either_office):
    """`on` engages a pause: approving is refused, denying still works, the channel sees the notice."""
    office = either_office
    request = office.world.pending()
    office.step()
    card = office.card()

    said = office.command("U0ADA", "on 30m the sale")
    office.step()
    office.click("U0BORIS", "approve:v1", card)

    assert said.startswith("*Paused: everything.* Countersign asks for the resume <!date^")
    assert "`/agent-pause off pause_" in said
    assert office.note("U0BORIS") == "Paused (all): nothing can be approved until two people resume it."
    notice = office.card()
    assert notice.text == "Paused: everything. Nothing can be approved or started until two people resume it."
    assert "the sale" in str(notice.blocks)
    office.click("U0BORIS", "deny:v1", card)
    assert office.world.request(request).state is State.DENIED


def test_on_twice_is_one_pause(office):
    """I14: said again because no answer came, or delivered twice, it is answered with the pause that there is."""
    first = office.command("U0ADA", "on 30m the sale")

    again = office.command("U0ADA", "on 30m the sale")

    assert again == first.replace("*Paused: everything.*", "*Paused already: everything.*")
    with office.store.reading() as reading:
        assert [f"`/agent-pause off {pause.id}`" in again for pause in reading.pauses()] == [True]


def test_a_card_that_waits_says_that_it_is_paused_and_what_counts_afterwards(make_office):
    """What a card says of missing approvals is right before, during and after a pause, which undoes those given before (I4)."""
    office = make_office(policies=FixedPolicies(a_policy(rules=(a_rule(asking=an_asking(quorum=2)),))))
    request = office.world.pending()
    office.step()
    card, redraws = office.card(), Redraws(office.store)
    office.click("U0ADA", "approve:v1", card)

    def shown():
        redraws()
        office.step()
        return text_of(office.cards_in()[0].blocks)

    before = shown()
    office.command("U0ADA", "on all")
    during = shown()
    with office.store.reading() as reading:
        (pause,) = reading.pauses()
    office.command("U0ADA", f"off {pause.id}")
    office.command("U0BORIS", f"off {pause.id}")
    after = shown()

    assert ("Needs 1 more approval" in before, "Paused" in before) == (True, False)
    assert "⏸️ *Paused: everything*" in during
    assert "Needs 2 approvals" in during
    assert ("Needs 2 approvals" in after, "Paused" in after) == (True, False)
    assert office.world.request(request).state is State.PENDING


def test_approved_and_not_started_is_stopped_and_counted(office):
    """I4: what was approved and has not started is voided by the pause, and the answer says how many."""
    office.world.pending()
    office.step()
    office.click("U0ADA", "approve:v1")
    office.note("U0ADA")

    said = office.command("U0BORIS", "on namespace:prod-eu-1/shop")

    assert said.startswith("*Paused: the namespace prod-eu-1/shop.* Stopped before they started: 1 approved change.")


def test_two_people_resume_by_its_id(office):
    """`off ID` takes two people; the same person twice is told so; then the notice says who resumed."""
    office.command("U0ADA", "on agent:scaler")
    office.step()
    with office.store.reading() as reading:
        (pause,) = reading.pauses()

    first = office.command("U0ADA", f"off {pause.id}")
    again = office.command("U0ADA", f"off {pause.id}")
    second = office.command("U0BORIS", f"off {pause.id} all good")
    office.step()

    assert first == f"You agreed to resume `{pause.id}`. It takes 2 people: 1 more."
    assert again == "You have agreed already; it takes one more person."
    assert second == "*Resumed: the agent scaler.* Approvals given before the pause do not run."
    assert "*Resumed by <@U0ADA> and <@U0BORIS>*" in str(office.card().blocks)


def test_off_alone_lists_and_changes_nothing(office):
    """`off` names the open pauses with their ids; they go on."""
    office.command("U0ADA", "on agent:scaler")
    with office.store.reading() as reading:
        (pause,) = reading.pauses()

    said = office.command("U0BORIS", "off")

    assert said.startswith(
        "Nothing was paused, and nothing was resumed. A resume names the pause it ends.\n*Paused:*\n"
    )
    assert f"`{pause.id}` the agent scaler, by <@U0ADA> since <!date^" in said
    with office.store.reading() as reading:
        assert reading.pauses() == (pause,)


def test_status_is_for_everybody(office):
    """Anybody who can type the command may see what is paused."""
    nothing = office.command("U0DINA", "status")
    for number in range(12):
        office.world.pause(AGENT, account=f"os:olga{number}", duration=None, reason="")

    said = office.command("U0DINA", "status")

    assert nothing == "Nothing is paused."
    assert said.count("`pause_") == 10
    assert "and 2 more" in said


def test_an_agreement_is_counted_in_the_status(office):
    """The status says how many of the two have agreed."""
    pause = office.world.pause(AGENT, account=ADA, duration=None, reason="").pause
    office.world.resume(pause.id, account=ADA, reason="")

    assert "1 of 2 agreed to resume" in office.command("U0DINA", "status")


@pytest.mark.parametrize(
    ("user", "typed", "said", "recorded"),
    [
        (
            "U0DINA",
            "on",
            "Nothing was paused. The policy does not let you pause.",
            (DINA, {"what": "engage", "code": "may_not_pause"}),
        ),
        (
            "U0DINA",
            "off PAUSE",
            "The policy does not let you resume.",
            (DINA, {"what": "resume", "code": "may_not_resume"}),
        ),
    ],
)
def test_who_may_not_is_refused_and_written_down(office, user, typed, said, recorded):
    """Pausing and resuming take authority; a refusal is private and in the trail."""
    pause = office.world.pause(AGENT, account=ADA, duration=None, reason="").pause

    answer = office.command(user, typed.replace("PAUSE", pause.id))

    refused = [(actor, data) for kind, actor, data in office.events("pause") if kind == "pause.refused"]
    assert (answer, refused) == (said, [recorded])


@pytest.mark.parametrize("typed", ["", "help", "shrug"])
def test_anything_else_gets_the_grammar_back(office, typed):
    """What is not in the grammar changes nothing and is answered with it."""
    assert office.command("U0ADA", typed) == GRAMMAR


def test_an_unknown_agent_is_named_as_such(office):
    """A pause of something that the policy does not know would stop nothing and look like a stop; what is near is offered."""
    said = [office.command("U0ADA", f"on {scope}") for scope in ("agent:nobody", "agent:scalar", "ns:prod-eu-1/shpo")]

    assert said == [
        f"Nothing was paused: the policy names no such {kind}, so what ran still runs. It names {names}.{meant}"
        for kind, names, meant in (
            ("agent", "scaler", ""),
            ("agent", "scaler", " Did you mean agent:scaler?"),
            ("namespace", "prod-eu-1/shop", " Did you mean namespace:prod-eu-1/shop?"),
        )
    ]


def test_a_stop_that_cannot_be_made_says_so(office, monkeypatch):
    """I13: a full pool, an error of ours, and a store that cannot be reached: the answer begins with what was not done."""
    monkeypatch.setattr(office.pools.urgent, "_most", 0)
    full = office.command("U0ADA", "on")
    monkeypatch.undo()

    def broken(**asked):
        raise RuntimeError("a secret: xoxb-1")

    monkeypatch.setattr(office.directory, "authority", broken)
    failed = office.command("U0ADA", "on")

    assert full == "Nothing was paused. Too much is going on just now; try again in a moment."
    assert failed == BROKEN


def test_the_bot_asks_for_the_resume_and_the_notice_says_so(office):
    """A duration only asks: when it is over the notice says so, and the pause goes on."""
    office.command("U0ADA", "on 30m")
    office.step()
    office.pass_by(31 * MINUTE)
    office.world.ask_for_resumes()
    office.step()

    assert "*The time asked for is over.* The pause lasts until two people resume it." in str(office.card().blocks)
    with office.store.reading() as reading:
        assert [pause.is_open for pause in reading.pauses()] == [True]


def test_a_listed_person_can_pause_while_slack_is_down(office):
    """Failing towards the safe side: whom the policy lists by id can stop things even when Slack cannot be asked."""
    office.change(lambda: office.workspace.faults.errors.update({"users.info": ["internal_error"] * 3}))

    assert office.command("U0BORIS", "on").startswith("*Paused: everything.*")
    with office.store.reading() as reading:
        assert [pause.by for pause in reading.pauses()] == [BORIS]
