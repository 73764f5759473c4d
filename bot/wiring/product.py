"""The product: what the command line begins with. The service that runs over the parts, the demo, and every command's answer.

Imports stand where they are used: whoever stops something at night does not wait for what a pause does not need.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from approvals.errors import Malformed, Refused
from approvals.identity.names import Account, operator
from bot import clock
from bot.settings import operator_name
from bot.wiring.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from approvals.identity.tokens import Token
    from approvals.presentation.digest import WeeklyDigest
    from approvals.usecases.execution.abandon import Abandon
    from approvals.usecases.intake.admit import Admit
    from approvals.usecases.operation.pause import EngagePause, Resume
    from approvals.usecases.people.decide import Decide
    from approvals.usecases.people.revocations import FollowRevocations
    from bot.cli.parts import DemoWishes, ServiceOverview, Where
    from bot.wiring.serving import Serving
    from models.audit.book import AuditBook


class Product(Parts):
    """Everything that can be run; implements :class:`bot.cli.parts.CommandParts`."""

    def serve(self) -> int:
        """Run the service until it is told to stop, and return the exit code."""
        with self.serving() as serving:
            if serving is None:
                return 1
            import asyncio

            asyncio.run(serving.run(self.ready))
        return 0

    @contextmanager
    def serving(self) -> Iterator[Serving | None]:
        """Give the service, checked and put together; None where something grave was found, which has been said."""
        import logging
        import sys

        from bot.observe import logs
        from bot.wiring.serving import Serving

        _ = self.store  # Before the lock, whose file stands beside the database: without one, nothing is left behind.
        level = logging.WARNING if self.quiet else logging.INFO
        logs.set_up(self.settings.secrets, pretty=sys.stderr.isatty(), level=level)
        with Serving.over(self) as serving:
            yield serving

    def demo(self, wishes: DemoWishes) -> int:
        """Run the demo until it is told to stop, and return the exit code.

        Raises:
            Refused: The demo is not here: it comes with the source tree, not with the installed product.
        """
        try:
            # By name, since the product does without the sandbox: what is installed in production holds no stand-in.
            show = import_module("sandbox.demo.show")
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("sandbox"):
                raise
            raise Refused(
                "The demo is not part of the installed product. Get the source of this version"
                " (the project's page names the repository), and run there: make demo",
                code="no_demo",
            ) from error
        code: int = show.show(wishes, make=Product)
        return code

    @property
    def account(self) -> Account:
        """Who is at the command line."""
        return operator(operator_name())

    def check_policy(self, path: Path | None) -> Iterable[str]:
        """Return what the policy file says, in lines."""
        from bot.operations.policy_report import policy_report

        return policy_report(path or self.settings.policy)

    def manifests(self, environment: str) -> str:
        """Return the Kubernetes manifests of the cluster that one environment is in, as YAML."""
        from bot.operations.manifest_text import manifest_text

        return manifest_text(self.policies.current(), environment)

    def admit(self) -> Admit:
        """Return the verbs of tokens."""
        return self.use_cases.admit

    def follow_revocations(self) -> FollowRevocations:
        """Return the verb that sees to what was asked with revoked tokens."""
        return self.use_cases.follow_revocations

    def new_secret(self) -> str:
        """Return a fresh token secret."""
        return clock.new_secret()

    def tokens(self) -> tuple[Token, ...]:
        """Return every token."""
        with self.store.reading() as reading:
            return reading.tokens()

    def where(self) -> Where:
        """Return which database it is, and when a service last ran on it."""
        from bot.cli.parts import Where

        served_at, now = self.store.last_served()
        return Where(place=self.database.place, served_at=served_at, now=now)

    def engage_pause(self) -> EngagePause:
        """Return the verb that stops."""
        return self.use_cases.engage_pause

    def resume(self) -> Resume:
        """Return the verb that lets things go on."""
        return self.use_cases.resume

    def decide(self) -> Decide:
        """Return the verb by which somebody answers."""
        return self.use_cases.decide

    def abandon(self) -> Abandon:
        """Return the verb that closes an unknown outcome."""
        return self.use_cases.abandon

    def status(self) -> ServiceOverview:
        """Return how things stand."""
        from bot.operations.overview import overview

        policy, clusters = self._policy_and_clusters()
        clusters = self.settings.cluster_note or clusters
        return overview(self.store, policy=policy, clusters=clusters, now=clock.utc_now())

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
        from bot.operations.weekly import weekly

        return weekly(self.book(), self.policies.current().environments, end=self.store.now())

    def upgrade(self) -> str:
        """Bring the database's schema up to date and return what was done, in a sentence."""
        from bot.operations.upgrading import upgrade

        owner, restricted = self.settings.migration_database_url, self.settings.database_url
        try:
            return upgrade(owner, restricted)
        except ValueError as error:
            name = "COUNTERSIGN_DATABASE_URL" if owner == restricted else "COUNTERSIGN_MIGRATION_DATABASE_URL"
            raise Malformed(f"{name}: {error}.") from error
