"""Watches: whether Slack and the clusters are there is asked again and again; what comes back is checked again."""

from threading import Barrier

import pytest

from approvals.errors import Unavailable
from bot.checks.watches import SLACK_EVERY, ClusterWatch, SlackWatch
from bot.health.legs import LegKind, Legs, LegState
from bot.slack.workspace.checks import SlackChecks, SlackFinding
from bot.slack.workspace.errors import Why
from bot.slack.workspace.pin import Installed
from tests.world import HandClock

US = Installed(team="T0", bot_id="B0", bot_user="U0")
AWAY = SlackChecks(
    installed=None, findings=(), away=Why(code="refused", sentence="Nothing listens there.", may_pass=True)
)
KNOWN = SlackChecks(installed=US, findings=())
REVOKED = SlackChecks(
    installed=None, findings=(SlackFinding(sentence="It was revoked.", grave=True, code="token_revoked"),)
)
EXPIRED = Unavailable("The cluster does not accept the bot's own account.", code="account_not_accepted")


class Clusters:
    """Clusters that answer, unless a test puts a refusal there."""

    def __init__(self):
        self.refusals = {}
        self.credentials = {}

    def credential(self, environment):
        """Return it."""
        return self.credentials.get(environment, "first")

    def whereabouts(self, environment):
        """Return where it is."""
        return f"It is https://{environment}.example:6443."

    def cluster_uid(self, environment):
        """Return which it is, or raise."""
        refusal = self.refusals.get(environment)
        if refusal is not None:
            raise refusal
        return "uid"


@pytest.fixture
def legs():
    """What is told."""
    return Legs(now=HandClock())


def codes(legs, part):
    """Return each leg's code by name."""
    return {leg.of: leg.code for leg in legs.of(part)}


def test_a_cluster_that_does_not_take_our_credential_is_told(legs):
    """The README's own token lives for a day: when it ends, the leg says so, and the other cluster's stands."""
    clusters, again = Clusters(), list[str]()
    watch = ClusterWatch(clusters, legs, environments=lambda: ("prod", "staging"), again=again.append)
    clusters.refusals["prod"] = EXPIRED
    watch.look()
    expired, why = codes(legs, LegKind.CLUSTER), legs.of(LegKind.CLUSTER)[0].why
    clusters.refusals.clear()
    watch.look()
    watch.look()
    watch.close()

    assert expired == {"prod": "account_not_accepted", "staging": "ok"}
    assert why == f"{EXPIRED.for_operators} It is https://prod.example:6443."
    assert codes(legs, LegKind.CLUSTER) == {"prod": "ok", "staging": "ok"}
    assert again == ["prod"], "what was away is checked again, once"


def test_another_credential_has_the_environment_checked_again(legs):
    """A kubeconfig that yields another account by now may yield one that may too much."""
    clusters, again = Clusters(), list[str]()
    watch = ClusterWatch(clusters, legs, environments=lambda: ("prod",), again=again.append)
    watch.look()
    clusters.credentials["prod"] = "second"
    watch.look()
    watch.look()
    watch.close()

    assert again == ["prod"]


def test_one_clusters_oddity_hides_nothing_else(legs):
    """A fault of ours with one of them is that leg's; an environment that left the policy has none."""
    clusters, names = Clusters(), ["gone", "odd", "prod"]
    clusters.refusals["odd"] = RuntimeError("secret")
    watch = ClusterWatch(clusters, legs, environments=lambda: names, again=lambda _: None)
    watch.look()
    names.remove("gone")
    watch.look()
    watch.close()

    assert codes(legs, LegKind.CLUSTER) == {"odd": "raised", "prod": "ok"}
    assert "secret" not in str(legs.all())


class Meeting(Clusters):
    """Clusters that answer once all of them have been asked."""

    def __init__(self, together):
        super().__init__()
        self.together = together

    def cluster_uid(self, environment):
        """Wait for the others."""
        return f"{environment}{self.together.wait()}"


def test_clusters_are_asked_side_by_side(legs):
    """One that is away keeps no other from being asked."""
    together = Barrier(3, timeout=10)
    clusters = Meeting(together)
    watch = ClusterWatch(clusters, legs, environments=lambda: ("a", "b", "c"), again=lambda _: None)
    watch.look()
    watch.close()

    assert set(codes(legs, LegKind.CLUSTER).values()) == {"ok"}


def test_slack_is_asked_until_it_says_who_we_are(legs):
    """Away at the start, it is asked at every turn; when it answers we are known, and stay known when it goes again."""
    answers = [AWAY, KNOWN, *[AWAY] * SLACK_EVERY]
    watch = SlackWatch(lambda: answers.pop(0), legs, at_start=AWAY)
    seen = [(watch.installed, codes(legs, LegKind.SLACK_API))]
    for _ in range(2):
        watch.look()
        seen.append((watch.installed, codes(legs, LegKind.SLACK_API)))
    for _ in range(SLACK_EVERY):
        watch.look()
    seen.append((watch.installed, codes(legs, LegKind.SLACK_API)))

    assert seen == [(None, {"": "refused"}), (None, {"": "refused"}), (US, {"": "ok"}), (US, {"": "refused"})]


def test_slack_that_answers_is_asked_less_often(legs):
    """Every fourth turn."""
    asked = []

    def ask():
        asked.append(1)
        return KNOWN

    watch = SlackWatch(ask, legs, at_start=KNOWN)
    for _ in range(2 * SLACK_EVERY):
        watch.look()

    assert len(asked) == 2


def test_a_token_that_is_revoked_later_is_told(legs):
    """It ends nothing: denials by the command line, expiry and pauses go on."""
    watch = SlackWatch(lambda: REVOKED, legs, at_start=AWAY)
    watch.look()

    (leg,) = legs.of(LegKind.SLACK_API)
    assert (leg.state, leg.code, leg.why, watch.installed) == (
        LegState.FAILING,
        "token_revoked",
        "It was revoked.",
        None,
    )
