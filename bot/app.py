"""The application: the only module that names concrete classes. One page on which the whole machine can be seen.

Each part is made when it is first asked for, so that a command which needs no Slack, no cluster or no database works without
one. What ``serve`` runs over it is :mod:`bot.serving`; both together are :mod:`bot.product`.

Imports stand where the part is made: whoever stops something at night does not wait for libraries that a pause does not use.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from approvals.errors import Malformed, Refused
from approvals.identity.names import Account, operator
from bot import clock
from bot.settings import Settings, from_environment, operator_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from approvals.identity.people import Authority
    from approvals.identity.tokens import Token
    from approvals.policy.policy import Policy
    from approvals.ports.clearance import Obstacle
    from approvals.ports.directory import Directory
    from approvals.presentation.digest import WeeklyDigest
    from approvals.usecases.execution.abandon import Abandon
    from approvals.usecases.intake.admit import Admit
    from approvals.usecases.operation.pause import EngagePause, Resume
    from approvals.usecases.people.decide import Decide
    from approvals.usecases.people.revocations import FollowRevocations
    from bot.cli.desk import ServiceOverview, Where
    from bot.cluster.client.sources import Source
    from bot.cluster.door import KubernetesCluster
    from bot.health.clearances import Clearances
    from bot.health.legs import Legs
    from bot.parts import Verbs
    from bot.policies import PolicyFile
    from bot.settings import SlackSettings
    from models.audit.book import AuditBook
    from models.engine.database import Database
    from models.store.store import SqlStore

_WEEK: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)

MOST_MONITORS: Final = 20
"""How many hours of monitors with refused deliveries ``status`` shows."""


class Nobody:
    """The directory of a command line without Slack settings: it knows of nobody, so nothing that needs an approver passes."""

    def authority(self, **asked: object) -> Authority:
        """Return what is known: nothing."""
        from approvals.identity.people import Authority

        del asked
        return Authority(standings={}, groups={})


@dataclass
class Application:
    """The parts of the product, made from its settings."""

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

    @property
    def account(self) -> Account:
        """Who is at the command line."""
        return operator(operator_name())

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
        slack = self.settings.slack
        if slack is None:
            return Nobody()
        from bot.slack.workspace.clients import ASKING_SECONDS, client
        from bot.slack.workspace.directory import SlackDirectory

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
    def verbs(self) -> Verbs:
        """Every use case."""
        from bot.agreement import Agreement
        from bot.observe.metrics import Metrics
        from bot.parts import Verbs
        from bot.runtime.mishaps import LoggedMishaps
        from bot.slack.messages.review_part import render_review
        from models.store.policy_in_force import PolicyInForce

        # A command may be given another file than the service has: then only what both allow is allowed.
        Agreement(PolicyInForce(self.store), self.policies, loaded_at=self.store.now()).look()
        return Verbs(
            store=self.store,
            policies=self.policies,
            cluster=self.cluster,
            directory=self.directory,
            render=render_review,
            new_id=clock.new_id,
            journey=Metrics(),
            clearance=self.clearances,
            mishaps=LoggedMishaps(failed=Metrics().failed),
        )

    # What the command line asks for.

    def required_slack(self) -> SlackSettings:
        """Return the settings of Slack.

        Raises:
            Malformed: There are none.
        """
        if self.settings.slack is None:
            raise Malformed("Slack is not set up: set SLACK_BOT_TOKEN and SLACK_APP_TOKEN, or SLACK_SIGNING_SECRET.")
        return self.settings.slack

    def check_policy(self, path: Path | None) -> Iterable[str]:
        """Return what the policy file says, in lines."""
        from approvals.verbs.workload import counted
        from bot.files import read_whole
        from models.policy.file import LARGEST_FILE, PolicyMistakes, check_policy, describe

        file = path or self.settings.policy
        try:
            checked = check_policy(read_whole(file, most=LARGEST_FILE))
        except OSError as error:
            raise Malformed(
                f"{file} cannot be read: {error.strerror}. Name another file, or set COUNTERSIGN_POLICY."
            ) from error
        except PolicyMistakes as mistakes:
            listed = "\n".join(f"{file}:{mistake}" for mistake in mistakes.mistakes)
            raise Malformed(f"The policy holds {counted(len(mistakes.mistakes), 'mistake')}:\n{listed}") from mistakes
        return (*describe(checked.policy).splitlines(), *(f"{file}:{remark}" for remark in checked.remarks))

    def manifests(self, environment: str) -> str:
        """Return the Kubernetes manifests of the cluster that one environment is in, as YAML: whichever it is, the same."""
        from bot.cluster.rights.access import grants_of
        from bot.cluster.rights.manifests import manifests, yaml_of

        policy = self.policies.current()
        if environment not in policy.environments:
            raise Malformed(f"The policy has no environment called {environment}.", code="unknown_environment")
        cluster = policy.environments[environment].cluster
        return yaml_of(manifests(grants_of(policy, cluster), policy.installation))

    def admit(self) -> Admit:
        """Return the verbs of tokens."""
        return self.verbs.admit

    def follow_revocations(self) -> FollowRevocations:
        """Return the verb that sees to what was asked with revoked tokens."""
        return self.verbs.follow_revocations

    def new_secret(self) -> str:
        """Return a fresh token secret."""
        return clock.new_secret()

    def tokens(self) -> tuple[Token, ...]:
        """Return every token."""
        with self.store.reading() as reading:
            return reading.tokens()

    def where(self) -> Where:
        """Return which database it is, and when a service last ran on it."""
        from bot.cli.desk import Where

        served_at, now = self.store.last_served()
        return Where(place=self.database.place, served_at=served_at, now=now)

    def engage_pause(self) -> EngagePause:
        """Return the verb that stops."""
        return self.verbs.engage_pause

    def resume(self) -> Resume:
        """Return the verb that lets things go on."""
        return self.verbs.resume

    def decide(self) -> Decide:
        """Return the verb by which somebody answers."""
        return self.verbs.decide

    def abandon(self) -> Abandon:
        """Return the verb that closes an unknown outcome."""
        return self.verbs.abandon

    def status(self) -> ServiceOverview:
        """Return how things stand."""
        from bot.cli.desk import ServiceOverview
        from bot.service_status import service_status
        from models.outbox.cards import Cards
        from models.outbox.thread_lines import ThreadLines
        from models.schema import revision as schema
        from models.store.heartbeats import Heartbeats

        with self.store.reading() as reading:
            epoch, pauses, counts = reading.epoch(), reading.pauses(), reading.waiting()
            refused = reading.refused_lately(since=reading.now - _DAY, limit=MOST_MONITORS)
        backlog = Cards(self.store).backlog()
        counts |= {
            "cards to be drawn": backlog.behind,
            "cards whose last try failed": backlog.failing,
            "questions that nobody can see yet": backlog.unseen,
            "thread lines to be posted": ThreadLines(self.store).count(),
            "events not sealed yet": self.book().tail().events,
        }
        policy, clusters = self._policy_and_clusters()
        beats, now = Heartbeats(self.database), clock.utc_now()
        kind = "SQLite" if self.database.is_sqlite else "PostgreSQL"
        return ServiceOverview(
            policy=policy,
            service=service_status(beats.latest(), leader=beats.leader(now), now=now),
            database=f"{kind}, schema {schema.REVISION}",
            cluster=self.settings.cluster_note or clusters,
            epoch=epoch,
            pauses=pauses,
            counts=counts,
            refused_deliveries=refused,
        )

    def _policy_and_clusters(self) -> tuple[str, str]:
        """Return which policy and which clusters the settings name; a broken file must not hide how everything else stands."""
        try:
            policy = self.policies.current()
        except Malformed:
            return "cannot be read, or holds mistakes; countersign policy check tells them", ""
        sources = self.sources(policy)
        return policy.version[:12], ", ".join(sorted(f"{name}: {source}" for name, source in sources.items()))

    def book(self) -> AuditBook:
        """Return the audit trail."""
        from models.audit.book import AuditBook

        return AuditBook(self.store.database)

    def digests(self) -> tuple[WeeklyDigest, ...]:
        """Return, for each environment, the digest of the seven days up to now."""
        from approvals.presentation.digest import summarise

        book = self.book()
        with self.store.reading() as reading:
            end = reading.now
        start = end - _WEEK
        head = book.head()
        return tuple(
            summarise(book.records(since=start), environment=name, start=start, end=end, head=head)
            for name in self.policies.current().environments
        )

    def upgrade(self) -> str:
        """Bring the database's schema up to date and return what was done, in a sentence."""
        from bot.upgrading import upgrade

        owner, restricted = self.settings.migration_database_url, self.settings.database_url
        try:
            return upgrade(owner, restricted)
        except ValueError as error:
            name = "COUNTERSIGN_DATABASE_URL" if owner == restricted else "COUNTERSIGN_MIGRATION_DATABASE_URL"
            raise Malformed(f"{name}: {error}.") from error
