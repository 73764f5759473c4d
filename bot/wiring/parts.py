"""The parts: which concrete class each one is. One page on which the whole machine can be seen.

Each part is made when it is first asked for, and once, so that a command which needs no Slack, no cluster or no database works
without one.

Imports stand where the part is made: whoever stops something at night does not wait for libraries that a pause does not use.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from approvals.errors import Malformed, Refused
from bot import clock
from bot.settings import Settings, from_environment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from approvals.identity.people import Authority
    from approvals.policy.policy import Policy
    from approvals.ports.clearance import Obstacle
    from approvals.ports.directory import Directory
    from bot.agreement import Agreement
    from bot.cluster.client.sources import Source
    from bot.cluster.door import KubernetesCluster
    from bot.health.clearances import Clearances
    from bot.health.legs import Legs
    from bot.observe.metrics import Metrics
    from bot.policies import PolicyFile
    from bot.settings import SlackSettings
    from bot.slack.workspace.directory import SlackDirectory
    from bot.wiring.use_cases import UseCases
    from models.engine.database import Database
    from models.store.store import SqlStore


class Nobody:
    """The directory of a command line without Slack settings: it knows of nobody, so nothing that needs an approver passes."""

    def authority(self, **asked: object) -> Authority:
        """Return what is known: nothing."""
        from approvals.identity.people import Authority

        del asked
        return Authority(standings={}, groups={})


@dataclass
class Parts:
    """The parts of one process, made from its settings."""

    given_settings: Settings | None = None
    """None for the environment's."""
    quiet: bool = False
    """Whether only warnings are logged: the demo's terminal tells its own story."""
    ready: Callable[[str], Awaitable[None]] | None = None
    """Is given the API's address when ``serve`` runs."""

    @cached_property
    def settings(self) -> Settings:
        """What is set from outside."""
        return self.given_settings or from_environment()

    @cached_property
    def policies(self) -> PolicyFile:
        """The policy in force."""
        from bot.policies import PolicyFile

        return PolicyFile(self.settings.policy)

    @cached_property
    def database(self) -> Database:
        """The database, not yet looked at."""
        from models.engine.database import open_database

        try:
            return open_database(self.settings.database_url)
        except ValueError as error:
            raise Malformed(f"COUNTERSIGN_DATABASE_URL: {error}.") from error
        except OSError as error:
            raise Malformed(f"COUNTERSIGN_DATABASE_URL: the file cannot be used: {error.strerror}.") from error

    @cached_property
    def store(self) -> SqlStore:
        """The store, its schema checked."""
        from models.schema import revision as schema
        from models.store.store import SqlStore

        if not schema.is_current(self.database):
            raise Refused("The database is not at this version's schema. Run: countersign db upgrade", code="schema")
        if (table := schema.lack(self.database)) is not None:
            raise Refused(
                f"The database is marked as being at this version's schema, but its table {table} is not: a version before"
                " the first release made it. Begin with an empty database, and run: countersign db upgrade",
                code="schema",
            )
        return SqlStore(self.database, host_clock=clock.utc_now, new_salt=clock.new_salt)

    @cached_property
    def directory(self) -> Directory:
        """Who knows who is who."""
        return Nobody() if self.settings.slack is None else self.slack_directory

    @cached_property
    def slack_directory(self) -> SlackDirectory:
        """The workspace's, of the team that the policy names until Slack has said which it is."""
        from bot.slack.workspace.clients import ASKING_SECONDS, client
        from bot.slack.workspace.directory import SlackDirectory

        slack = self.required_slack()
        web = client(slack.bot_token, slack.api_url, timeout_seconds=ASKING_SECONDS)
        team = next(iter(sorted(self.policies.current().teams)), "")
        return SlackDirectory(web, team=team)

    @cached_property
    def cluster(self) -> KubernetesCluster:
        """The way to every environment's cluster."""
        from importlib.metadata import version

        from bot.cluster.door import KubernetesCluster

        door = KubernetesCluster(
            self._sources,
            installation=self.policies.current().installation,
            mac_key=self._mac_key(),
            now=clock.utc_now,
            version=version("countersign"),
            report=self._take_down,
        )
        door.statement.hold_to(self._sources.values())
        return door

    def _take_down(self, source: Source, wrong: Obstacle | None) -> None:
        """Let nothing start in a cluster that is not what the policy says, and let it again once it is."""
        from bot.health.clearances import STATEMENT

        for environment in self.policies.current().environments_in(source.cluster):
            if wrong is None:
                self.clearances.release(environment, holder=STATEMENT)
            else:
                self.clearances.hold(environment, holder=STATEMENT, obstacle=wrong)

    @cached_property
    def _sources(self) -> dict[str, Source]:
        return self.sources(self.policies.current())

    def grow_sources(self, policy: Policy) -> None:
        """Take on the clusters of environments that a reloaded policy brings."""
        sources = self.sources(policy)
        self._sources.update(sources)
        self.cluster.statement.hold_to(sources.values())

    def sources(self, policy: Policy) -> dict[str, Source]:
        """Return where each environment's account comes from."""
        return {name: self.source(policy, environment.cluster) for name, environment in policy.environments.items()}

    def source(self, policy: Policy, cluster: str) -> Source:
        """Return where the bot's own account at one of the policy's clusters comes from."""
        from bot.cluster.client.sources import Source

        context = policy.clusters[cluster].context or self.settings.kube_context
        return Source(kubeconfig=self.settings.kubeconfig, context=context, cluster=cluster)

    def _mac_key(self) -> bytes:
        """Return the key of the hashes that stand for hidden values: derived from a secret that no database holds."""
        import hmac
        from hashlib import sha256

        slack = self.settings.slack
        secret = clock.new_key() if slack is None else slack.bot_token.encode()
        return hmac.new(secret, b"countersign/hidden-values/1", sha256).digest()

    @cached_property
    def clearances(self) -> Clearances:
        """Where changes may start now: nowhere, until its checks have passed."""
        from bot.health.clearances import Clearances

        return Clearances(now=clock.utc_now)

    @cached_property
    def legs(self) -> Legs:
        """What the service stands on."""
        from bot.health.legs import Legs

        return Legs(now=clock.utc_now)

    @cached_property
    def metrics(self) -> Metrics:
        """What is counted in this process, whoever asks for it."""
        from bot.observe.metrics import Metrics

        return Metrics()

    @cached_property
    def agreement(self) -> Agreement:
        """Whether this process's policy is the one in force; where it is not, only what both allow is allowed."""
        from bot.agreement import Agreement
        from models.store.policy_in_force import PolicyInForce

        agreement = Agreement(PolicyInForce(self.store), self.policies, loaded_at=self.store.now())
        # Before any use case judges: a command may be given another file than the service has.
        agreement.look()
        return agreement

    @cached_property
    def use_cases(self) -> UseCases:
        """Every use case."""
        from bot.runtime.mishaps import LoggedMishaps
        from bot.slack.messages.review_part import render_review
        from bot.wiring.use_cases import UseCases

        _ = self.agreement
        return UseCases(
            store=self.store,
            policies=self.policies,
            cluster=self.cluster,
            directory=self.directory,
            render=render_review,
            new_id=clock.new_id,
            journey=self.metrics,
            clearance=self.clearances,
            mishaps=LoggedMishaps(failed=self.metrics.failed),
        )

    def required_slack(self) -> SlackSettings:
        """Return the settings of Slack.

        Raises:
            Malformed: There are none.
        """
        if self.settings.slack is None:
            raise Malformed("Slack is not set up: set SLACK_BOT_TOKEN and SLACK_APP_TOKEN, or SLACK_SIGNING_SECRET.")
        return self.settings.slack
