"""Serving: what keeps ``serve`` from starting, and what it runs. Only ``serve`` and the demo load this.

What is wrong with all of it (a token, a scope, a schema) is said in words that tell what to do, and keeps it from starting. The
checks of channels and clusters run beside it and take out what they concern (:mod:`bot.checks.checking`).
"""

import asyncio
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from approvals.audit.events import ITSELF
from approvals.errors import Unavailable
from approvals.policy.policy import Policy
from bot import clock
from bot.checks.checking import Checking
from bot.checks.clock_watch import ClockWatch
from bot.checks.environment_checks import EnvironmentChecks
from bot.checks.fence_watch import WATCHED, FenceWatch
from bot.checks.policy_changes import PolicyChanges
from bot.checks.watches import CLUSTER_SECONDS, SLACK_SECONDS, ClusterWatch, SlackWatch
from bot.health.legs import Leg, LegKind, Readiness
from bot.intake.deps import Deps
from bot.intake.http.wire import IntakeServer, check_listen
from bot.intake.server import Intake
from bot.observe.tick_reports import SEAL, TickReports, leg_of
from bot.runtime.leader import Leadership
from bot.runtime.pools import standard_pools
from bot.runtime.pulse import BEAT_SECONDS, Pulse
from bot.runtime.scheduler import Scheduler, Tick, Weekly
from bot.runtime.service import STARTING_SECONDS, Service
from bot.settings import Settings, Transport
from bot.slack.kit.message import Message
from bot.slack.workspace.checks import SlackChecks, check_app, check_channel, check_group
from bot.slack.workspace.clients import ASKING_SECONDS, POSTING_SECONDS, client
from bot.slack.workspace.poster import SlackPoster
from bot.wiring.approvers_door import ApproversDoor
from bot.wiring.duties import Duties
from bot.wiring.leading import Leading
from bot.wiring.parts import Parts
from models.outbox.cards import Cards
from models.store.heartbeats import SERVICE, Heartbeats
from models.store.leases import Leases, leases_of
from models.store.news import CommitNews
from models.store.store import SqlStore

log = structlog.get_logger(__name__)

SILENT_AFTER: Final = timedelta(seconds=30)
"""How long a tick may say nothing before its leg counts as silent; or ten of its turns, where that is longer."""

STARTING_SLACK_SECONDS: Final = 3
"""How long each of two questions to Slack may hold the start up: after that everything else begins without it."""

POLICY_SECONDS: Final = 10.0
"""How often the policy file is looked at."""


class Serving:
    """One process's service, put together."""

    def __init__(self, parts: Parts, at_start: SlackChecks, leases: Leases) -> None:
        """Put everything together; nothing runs yet."""
        self._parts = parts
        self._slack = parts.required_slack()
        self._leases = leases
        self._server: IntakeServer | None = None
        self.legs, self.metrics = parts.legs, parts.metrics
        self.legs.add_source(self._environments)
        self.metrics.watch_legs(self.legs.all)
        heartbeats = Heartbeats(parts.store.database, process=_this_process(parts.settings, parts.store))
        self.pulse = Pulse(self.legs, heartbeats, now=clock.utc_now)
        self.pools = standard_pools()
        parts.agreement.speak_as(_this_process(parts.settings, parts.store))
        parts.slack_directory.belongs_to(None if at_start.installed is None else at_start.installed.team)
        self.slack_watch = SlackWatch(self._ask_slack, self.legs, at_start=at_start)
        self.clock_watch = ClockWatch(parts.use_cases.expire, self.legs)
        self.checking = Checking(clearances=parts.clearances, legs=self.legs, monotonic=time.monotonic)
        self.watching = Checking(clearances=parts.clearances, legs=self.legs, monotonic=time.monotonic, cadence=WATCHED)
        self._fences = FenceWatch(standing=parts.cluster.standing, sources=parts.sources)
        looking = client(self._slack.bot_token, self._slack.api_url, timeout_seconds=POSTING_SECONDS)
        self._checks = EnvironmentChecks(
            channel=partial(check_channel, looking),
            group=partial(check_group, looking),
            find_in=parts.cluster.findings,
            sources=parts.sources,
        )
        self.cluster_watch = ClusterWatch(
            parts.cluster,
            self.legs,
            environments=lambda: parts.policies.current().environments,
            again=self._check_again,
        )
        self.policy_changes = PolicyChanges(
            policies=parts.policies,
            agreement=parts.agreement,
            legs=self.legs,
            now=parts.store.now,
            write_down=partial(parts.use_cases.adopt, by=ITSELF),
            cover=self._cover,
            reach=parts.grow_sources,
        )
        cards = Cards(parts.store)
        posting = client(self._slack.bot_token, self._slack.api_url, timeout_seconds=POSTING_SECONDS)
        poster = SlackPoster(posting, monotonic=time.monotonic)
        self.leading = Leading(parts=parts, pools=self.pools, cards=cards, poster=poster)
        self.approvers = ApproversDoor(
            parts=parts, pools=self.pools, cards=cards, installed=lambda: self.slack_watch.installed
        )

    @classmethod
    @contextmanager
    def over(cls, parts: Parts) -> Iterator["Serving | None"]:
        """Give the service of *parts*; None where something is wrong with all of it, which has been said.

        What is wrong with one environment keeps only that one from starting anything, and is found while the others serve.
        Slack that cannot be reached is asked again.

        Raises:
            Clash: Another process serves this database, which is a SQLite file.
            Malformed: A setting or the policy cannot be right.
        """
        check_listen(parts.settings.host, tls_in_front=parts.settings.tls_in_front)
        slack = parts.required_slack()
        policy = parts.policies.current()
        # No two processes hold a lease under one name, not even one after the other at the same place.
        holder = f"{_this_process(parts.settings, parts.store)}:{clock.new_salt()[:8]}"
        with leases_of(parts.settings.database_url, holder=holder) as leases:
            with parts.store.reading() as reading:
                reading.epoch()  # The store and its schema come before anybody outside is asked.
            web = client(slack.bot_token, slack.api_url, timeout_seconds=STARTING_SLACK_SECONDS)
            checked = check_app(web, policy, app_token=slack.app_token)
            _say((one.sentence, one.grave) for one in checked.findings)
            if not checked.may_serve:
                yield None
                return
            parts.use_cases.adopt(policy, parts.policies.text(), by=ITSELF)
            yield cls(parts, checked, leases)

    async def run(self, ready: Callable[[str], Awaitable[None]] | None = None) -> None:
        """Run until the process is told to end; *ready* is given the API's address when everything runs.

        Raises:
            Unavailable: The database stayed out of reach; everything has stopped in good order.
        """
        settings, ended, loop = self._parts.settings, asyncio.Event(), asyncio.get_running_loop()
        leadership: Leadership[Duties[Message]] = Leadership(
            self._leases,
            duties=lambda lease: self.leading.under(lease, check=partial(leadership.check, lease)),
            monotonic=time.monotonic,
            legs=self.legs,
            end=lambda: loop.call_soon_threadsafe(ended.set),
        )
        self.metrics.watch_leading(lambda: leadership.leads)
        self._parts.cluster.writes_until = lambda: leadership.trusted_until
        news = None if self._parts.store.database.is_sqlite else CommitNews(settings.database_url)
        intake = Intake(self._deps(news))
        if news is not None:
            self._parts.store.on_change = news.tell
            news.start(partial(loop.call_soon_threadsafe, intake.polls.news))
        opening = self.approvers.opening()
        if self._slack.transport is Transport.HTTP:
            intake.app.router.routes.append(opening.route())
        server = self._server = intake.server(host=settings.host, port=settings.port)
        service = Service(
            api=server,
            slack=opening,
            scheduler=self._scheduler(leadership),
            leader=leadership,
            pools=self.pools,
            expire=self._catch_up,
            ready=partial(_tell, ready, server),
        )
        await asyncio.to_thread(self._parts.agreement.look)
        self.policy_changes.tell()
        await asyncio.to_thread(self.pulse.beat)
        self._cover(self._parts.policies.current())
        self._check()
        try:
            await service.run(ended)
        finally:
            self.checking.close()
            self.watching.close()
            self.cluster_watch.close()
            await asyncio.to_thread(self.pulse.stop)
            await asyncio.to_thread(self._leave)
            if news is not None:
                await asyncio.to_thread(news.stop)
        if leadership.given_up is not None:
            raise leadership.given_up

    def _deps(self, news: CommitNews | None) -> Deps:
        use_cases = self._parts.use_cases
        return Deps(
            store=self._parts.store,
            admit=use_cases.admit,
            escalate=use_cases.escalate,
            cancel=use_cases.cancel,
            notice=use_cases.notice,
            pools=self.pools,
            metrics=self.metrics,
            readiness=self._readiness,
            hears=lambda: news is not None and news.hears,
            proxies=self._parts.settings.trusted_proxies,
            replicas=lambda: self._parts.agreement.replicas,
        )

    def _ask_slack(self) -> SlackChecks:
        """Ask Slack who we are, once more."""
        web = client(self._slack.bot_token, self._slack.api_url, timeout_seconds=ASKING_SECONDS)
        return check_app(web, self._parts.policies.current(), app_token=None)

    def _scheduler(self, leading: Leadership[Duties[Message]]) -> Scheduler:
        """Return what ticks: what one process alone may do is left out where this one does not lead."""
        only = leading.only
        ticks = (
            Tick(name="expire", seconds=1.0, run=self._parts.use_cases.expire),
            Tick(name="follow revocations", seconds=1.0, run=only(lambda duties: duties.follow_revocations())),
            Tick(name="show pauses", seconds=1.0, run=only(lambda duties: duties.show_pauses())),
            Tick(name="show another policy", seconds=1.0, run=only(lambda duties: duties.show_policy())),
            Tick(name="execute", seconds=0.5, run=only(lambda duties: duties.execute())),
            Tick(name="relay", seconds=0.3, run=only(lambda duties: duties.relay())),
            Tick(name=SEAL, seconds=1.0, run=only(lambda duties: duties.seal())),
            Tick(name="watch for unseen questions", seconds=5.0, run=only(lambda duties: duties.watch_unseen())),
            Tick(name="ask for resumes", seconds=5.0, run=only(lambda duties: duties.ask_for_resumes())),
            Tick(name="beat", seconds=BEAT_SECONDS, run=self.pulse.beat),
            Tick(name="watch", seconds=5.0, run=self.clock_watch.tell),
            Tick(name="check", seconds=1.0, run=self._check),
            Tick(name="look at clusters", seconds=CLUSTER_SECONDS, run=self.cluster_watch.look),
            Tick(name="look at Slack", seconds=SLACK_SECONDS, run=self.slack_watch.look),
            Tick(name="say what stands still", seconds=5.0, run=only(lambda duties: duties.say_standstills())),
            Tick(name="reload the policy", seconds=POLICY_SECONDS, run=self.policy_changes.reload),
            Tick(
                name="agree on the policy",
                seconds=1.0,
                run=partial(self.policy_changes.agree, only(lambda duties: duties.lead_policy())),
            ),
            Tick(name="count people", seconds=60.0, run=only(lambda duties: duties.count_people())),
            Tick(name="catch up with digests", seconds=60.0, run=only(lambda duties: duties.digests.catch_up())),
        )
        for tick in ticks:
            self.legs.expect(*leg_of(tick.name), within=max(SILENT_AFTER, timedelta(seconds=10 * tick.seconds)))
        reports = TickReports(self.legs, self.metrics)
        return Scheduler(ticks, self._weeklies(leading), reports=reports)

    def _weeklies(self, leading: Leadership[Duties[Message]]) -> Iterable[Weekly]:
        for environment in self._parts.policies.current().environments.values():
            schedule = environment.digest
            yield Weekly(
                name=f"digest of {environment.name}",
                weekday=schedule.weekday,
                hour=schedule.hour,
                minute=schedule.minute,
                zone=environment.zone,
                run=leading.only(partial(_post_digest, environment.name)),
            )

    def _catch_up(self) -> int:
        """Expire what fell due meanwhile, and leave word in the database that a service runs on it."""
        self.clock_watch.look()
        return self._parts.use_cases.expire()

    def _leave(self) -> None:
        """Have nobody rule any longer by what this process had, where the store lets us say so."""
        try:
            self._parts.agreement.leave()
        except Unavailable as error:
            log.warning("policy.not_left", why=error.for_operators)

    def _cover(self, policy: Policy) -> None:
        self.checking.cover(self._checks.of(policy))
        self.watching.cover(self._fences.of(policy))

    def _check(self) -> None:
        self.checking.tick()
        self.watching.tick()

    def _check_again(self, environment: str) -> None:
        self.checking.again(environment)
        self.watching.again(environment)

    def _environments(self) -> Iterator[Leg]:
        """Give whether changes may start in each environment, as legs."""
        now = clock.utc_now()
        for name in sorted(self._parts.policies.current().environments):
            yield self._parts.clearances.leg(name, now=now)

    def _readiness(self) -> Readiness:
        """Return whether this process should get traffic; the store is asked now, because all of it needs the store."""
        try:
            with self._parts.store.reading() as reading:
                reading.epoch()
        except Unavailable as error:
            self.legs.failing(LegKind.STORE, code=error.cause_code, why=error.for_operators)
        is_stopping = self._server is not None and self._server.should_exit
        return Readiness(legs=self.legs.all(), is_stopping=is_stopping)


async def _tell(ready: Callable[[str], Awaitable[None]] | None, server: IntakeServer) -> None:
    """Wait until the API listens, then say where."""
    async with asyncio.timeout(STARTING_SECONDS):
        while not server.started:  # noqa: ASYNC110 - the library has a flag and no event
            await asyncio.sleep(0.02)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    log.info("api.listens", address=address)
    if ready is not None:
        await ready(address)


def _this_process(settings: Settings, store: SqlStore) -> str:
    """Return how this process is called among those of its database: an operator finds it by that, after a restart too."""
    if store.database.is_sqlite:
        return SERVICE
    return f"{platform.node() or 'this machine'}:{settings.port or f'process {os.getpid()}'}"


def _post_digest(environment: str, duties: Duties[Message]) -> None:
    duties.digests.post(environment)


def _say(findings: Iterable[tuple[str, bool]]) -> None:
    for sentence, grave in findings:
        sys.stderr.write(f"{'refused' if grave else 'note'}: {sentence}\n")
