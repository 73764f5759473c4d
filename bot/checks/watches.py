"""Watches: small questions, asked again and again, whether Slack and the clusters are there and take our credentials.

What they learn is legs. A cluster that comes back, or where our credential is another one by now, has its environments checked
again; Slack says who we are the first time that it answers, and until then nobody's click counts.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import structlog

from approvals.errors import Refused
from bot.health.legs import LegKind, Legs, LegState
from bot.slack.workspace.checks import SlackChecks
from bot.slack.workspace.pin import Installed

log = structlog.get_logger(__name__)

CLUSTER_SECONDS: Final = 15.0
SLACK_SECONDS: Final = 5.0
"""How often Slack is asked while it does not answer, and how often it is looked whether it is time to ask again."""

SLACK_EVERY: Final = 4
"""Of those, which is asked while it answers: every twenty seconds is three questions a minute, of hundreds that Slack takes."""

AT_ONCE: Final = 8
"""Clusters asked side by side, so that one that is away makes the others wait no longer than its own time."""


class CredentialSource(Protocol):
    """The cluster door, as far as a watch asks it."""

    def credential(self, environment: str) -> object:
        """Return what tells our credential at an environment's cluster from an earlier one."""
        ...

    def whereabouts(self, environment: str) -> str:
        """Return where an environment's cluster is and where our credential comes from, in a sentence; empty if unknown."""
        ...

    def cluster_uid(self, environment: str) -> str:
        """Return which cluster answers."""
        ...


class ClusterWatch:
    """Looks whether each environment's API server answers and takes our credential."""

    def __init__(
        self,
        cluster: CredentialSource,
        legs: Legs,
        *,
        environments: Callable[[], Iterable[str]],
        again: Callable[[str], None],
    ) -> None:
        """Keep whom to ask.

        Args:
            cluster: The cluster door.
            legs: Where it is told how each cluster is.
            environments: Names them, as the policy in force does.
            again: Is told of an environment that has to be checked again.
        """
        self._cluster = cluster
        self._legs = legs
        self._environments = environments
        self._again = again
        self._credentials: dict[str, object] = {}
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="cluster-watch")

    def look(self) -> None:
        """Ask every cluster once, side by side."""
        environments = sorted(set(self._environments()))
        for leg in self._legs.of(LegKind.CLUSTER):
            if leg.of not in environments:
                self._legs.forget(LegKind.CLUSTER, leg.of)
        tuple(self._threads.map(self._look_at, environments))

    def close(self) -> None:
        """Ask nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _why(self, environment: str, error: Refused) -> str:
        return " ".join(filter(None, (error.for_operators, self._cluster.whereabouts(environment))))

    def _look_at(self, environment: str) -> None:
        was_away = any(
            leg.of == environment and leg.state is LegState.FAILING for leg in self._legs.of(LegKind.CLUSTER)
        )
        try:
            credential = self._cluster.credential(environment)
            self._cluster.cluster_uid(environment)
        except Refused as error:
            self._legs.failing(LegKind.CLUSTER, environment, code=error.cause_code, why=self._why(environment, error))
            return
        except Exception as error:
            # The outermost loop of a thread: one cluster's oddity must not hide how the others are.
            log.exception("cluster_watch.broken", environment=environment)
            why = f"The question raised {type(error).__name__}; see the log."
            self._legs.failing(LegKind.CLUSTER, environment, code="raised", why=why)
            return
        known = self._credentials.get(environment, credential)
        self._credentials[environment] = credential
        self._legs.good(LegKind.CLUSTER, environment)
        if was_away or known != credential:
            self._again(environment)


class SlackWatch:
    """Looks whether Slack answers and takes our token, and remembers who we are there."""

    def __init__(self, ask: Callable[[], SlackChecks], legs: Legs, *, at_start: SlackChecks) -> None:
        """Begin with what the start has learnt; *ask* asks Slack anew."""
        self._ask = ask
        self._legs = legs
        self._turns = 0
        self.installed: Installed | None = at_start.installed
        """Who we are; None until Slack has said so."""
        self._note(at_start)

    def look(self) -> None:
        """Ask, where it is time to."""
        self._turns += 1
        answers = all(leg.state is LegState.GOOD for leg in self._legs.of(LegKind.SLACK_API))
        if answers and self._turns % SLACK_EVERY:
            return
        self._note(self._ask())

    def _note(self, checked: SlackChecks) -> None:
        grave = [finding for finding in checked.findings if finding.grave]
        if checked.away is not None:
            self._legs.failing(LegKind.SLACK_API, code=checked.away.code, why=checked.away.sentence)
        elif grave:
            why = " ".join(finding.sentence for finding in grave)
            self._legs.failing(LegKind.SLACK_API, code=grave[0].code, why=why)
        else:
            self._legs.good(LegKind.SLACK_API)
        if self.installed is None and checked.installed is not None and not grave:
            self.installed = checked.installed
            log.info("slack.knows_us")
