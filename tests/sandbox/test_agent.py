"""The demo's agent: it says what becomes of its requests, and ends quietly with the API."""

import pytest

from sandbox.agent import Agent, Gone, demo_pleas
from tests.bot.cluster.scripted import Answer, Reset, serving


@pytest.mark.parametrize(
    "outcome",
    [Reset(), Answer(body={"id": "esc_1"}, cut_after=5), Answer(body=b"no JSON"), Answer(status=503, body=b"down")],
    ids=["reset", "cut", "no JSON", "an error that is none of the API's"],
)
def test_an_api_that_goes_away_is_gone(outcome):
    """Whoever ends the demo between two requests sees no traceback of the agent's: an answer that breaks off is the end."""
    said: list[str] = []
    with serving(outcome) as server:
        agent = Agent(server.url, "cst_x", environment="demo", say=said.append)

        with pytest.raises(Gone):
            agent.ask(demo_pleas("T0:U0")[0])
        agent.follow("esc_1", until=float("inf"))

    with pytest.raises(Gone):
        agent.ask(demo_pleas("T0:U0")[0])
    assert said == []


def test_what_became_of_a_plea_is_said():
    """The id under which it is known, refused or not."""
    said: list[str] = []
    with serving(Answer(status=403, body={"escalation_id": "esc_1", "code": "paused"})) as server:
        agent = Agent(server.url, "cst_x", environment="demo", say=said.append)

        assert agent.ask(demo_pleas("T0:U0")[0]) == "esc_1"

    assert said == ["agent: asked (over the limit): 403, esc_1"]
