"""Serving: what keeps ``serve`` from starting, and what it runs. Only the application loads this.

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
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from approvals.audit.events import ITSELF
from approvals.errors import Unavailable
from approvals.policy.policy import Environment, Policy
from approvals.presentation.digest import WeeklyDigest
from approvals.usecases.people.expire import STEP_WORTH_TELLING
from bot import clock
from bot.agreement import Agreement
from bot.checks.checking import Checking
from bot.checks.environment_checks import EnvironmentChecks
from bot.checks.fence_watch import WATCHED, FenceWatch
from bot.checks.headcounts import Headcounts
from bot.checks.watches import CLUSTER_SECONDS, SLACK_SECONDS, ClusterWatch, SlackWatch
from bot.duties import Duties, LedPoster
from bot.health.legs import Leg, LegKind, Readiness
from bot.intake.deps import Deps
from bot.intake.http.wire import IntakeServer, check_listen
from bot.intake.server import Intake
from bot.observe.metrics import Metrics
from bot.observe.tick_reports import SEAL, TickReports, leg_of
from bot.outbox.delivery import Detail
from bot.outbox.digests import DigestPost
from bot.outbox.orphans import Orphans
from bot.outbox.relay import Relay
from bot.outbox.standstills import Standstills
from bot.outbox.unseen import WatchUnseen
from bot.parts import Verbs
from bot.runtime.leader import Leadership
from bot.runtime.mishaps import LoggedMishaps
from bot.runtime.pools import standard_pools
from bot.runtime.pulse import BEAT_SECONDS, Pulse
from bot.runtime.scheduler import Scheduler, Tick, Weekly
from bot.runtime.service import STARTING_SECONDS, Service
from bot.runtime.worker import Worker
from bot.settings import Settings, Transport
from bot.slack.inbound.acting import Acting
from bot.slack.inbound.answers import Answers
from bot.slack.inbound.commands import Handle
from bot.slack.inbound.copies import Copies
from bot.slack.inbound.door import App, make_app
from bot.slack.inbound.listeners import Listeners
from bot.slack.inbound.opening import Opening
from bot.slack.inbound.signed_http import SignedHttp
from bot.slack.inbound.sockets import Sockets
from bot.slack.kit.message import Message
from bot.slack.messages.digest_message import digest_message
from bot.slack.messages.painter import SlackPainter
from bot.slack.messages.standstill_message import standstill_message
from bot.slack.workspace.checks import SlackChecks, check_app, check_channel, check_group
from bot.slack.workspace.clients import ASKING_SECONDS, POSTING_SECONDS, async_client, client
from bot.slack.workspace.directory import SlackDirectory
from bot.slack.workspace.pin import Installed
from bot.slack.workspace.poster import SlackPoster
from models.audit.book import AuditBook
from models.audit.sealer import Sealer
from models.outbox.cards import Cards
from models.outbox.digests import Digests
from models.outbox.policy_redraws import PolicyRedraws
from models.outbox.redraws import Redraws
from models.outbox.thread_lines import ThreadLines
from models.store.fence import Lease
from models.store.heartbeats import SERVICE, Heartbeats
from models.store.leases import Leases, leases_of
from models.store.news import CommitNews
from models.store.policy_in_force import PolicyInForce
from models.store.store import SqlStore

if TYPE_CHECKING:
    from bot.app import Application

log = structlog.get_logger(__name__)

SILENT_AFTER: Final = timedelta(seconds=30)
"""How long a tick may say nothing before its leg counts as silent; or ten of its turns, where that is longer."""

_CLOCK: Final = "Time stands still for deadlines until it has caught up (docs/operations.md)."

STARTING_SLACK_SECONDS: Final = 3
"""How long each of two questions to Slack may hold the start up: after that everything else begins without it."""

POLICY_SECONDS: Final = 10.0
"""How often the policy file is looked at."""


class Serving:
    """One process's service, put together."""

    def __init__(self, application: "Application", at_start: SlackChecks, leases: Leases) -> None:
        """Put everything together over the application's parts; nothing runs yet."""
        self._application = application
        self._slack = application.required_slack()
        self._leases = leases
        self._clock_behind = timedelta(0)
        self._server: IntakeServer | None = None
        self.legs = application.legs
        self.metrics = Metrics()
        self.legs.add_source(self._environments)
        self.metrics.watch_legs(self.legs.all)
        heartbeats = Heartbeats(
            application.store.database, process=_this_process(application.settings, application.store)
        )
        self.pulse = Pulse(self.legs, heartbeats, now=clock.utc_now)
        self.pools = standard_pools()
        self.agreement = Agreement(
            PolicyInForce(application.store),
            application.policies,
            loaded_at=application.store.now(),
            process=_this_process(application.settings, application.store),
        )
        team = None if at_start.installed is None else at_start.installed.team
        asking = client(self._slack.bot_token, self._slack.api_url, timeout_seconds=ASKING_SECONDS)
        self.directory = SlackDirectory(asking, team=team)
        self.slack_watch = SlackWatch(self._ask_slack, self.legs, at_start=at_start)
        self.verbs = Verbs(
            store=application.store,
            policies=application.policies,
            cluster=application.cluster,
            directory=self.directory,
            render=application.verbs.render,
            new_id=clock.new_id,
            journey=self.metrics,
            clearance=application.clearances,
            mishaps=LoggedMishaps(failed=self.metrics.failed),
        )
        self.checking = Checking(clearances=application.clearances, legs=self.legs, monotonic=time.monotonic)
        self.watching = Checking(
            clearances=application.clearances, legs=self.legs, monotonic=time.monotonic, cadence=WATCHED
        )
        self._fences = FenceWatch(standing=application.cluster.standing, sources=application.sources)
        looking = client(self._slack.bot_token, self._slack.api_url, timeout_seconds=POSTING_SECONDS)
        self._checks = EnvironmentChecks(
            channel=partial(check_channel, looking),
            group=partial(check_group, looking),
            find_in=application.cluster.findings,
            sources=application.sources,
        )
        self.cluster_watch = ClusterWatch(
            application.cluster,
            self.legs,
            environments=lambda: application.policies.current().environments,
            again=self._check_again,
        )
        self.cards = Cards(application.store)
        posting = client(self._slack.bot_token, self._slack.api_url, timeout_seconds=POSTING_SECONDS)
        self._poster = SlackPoster(posting, monotonic=time.monotonic)
        """The process's own, however often it leads: Slack's pace does not begin anew."""

    @classmethod
    @contextmanager
    def over(cls, application: "Application") -> Iterator["Serving | None"]:
        """Give the service of *application*; None where something is wrong with all of it, which has been said.

        What is wrong with one environment keeps only that one from starting anything, and is found while the others serve.
        Slack that cannot be reached is asked again.

        Raises:
            Clash: Another process serves this database, which is a SQLite file.
            Malformed: A setting or the policy cannot be right.
        """
        check_listen(application.settings.host, tls_in_front=application.settings.tls_in_front)
        slack = application.required_slack()
        policy = application.policies.current()
        # No two processes hold a lease under one name, not even one after the other at the same place.
        holder = f"{_this_process(application.settings, application.store)}:{clock.new_salt()[:8]}"
        with leases_of(application.settings.database_url, holder=holder) as leases:
            with application.store.reading() as reading:
                reading.epoch()  # The store and its schema come before anybody outside is asked.
            web = client(slack.bot_token, slack.api_url, timeout_seconds=STARTING_SLACK_SECONDS)
            checked = check_app(web, policy, app_token=slack.app_token)
            _say((one.sentence, one.grave) for one in checked.findings)
            if not checked.may_serve:
                yield None
                return
            application.verbs.adopt(policy, application.policies.text(), by=ITSELF)
            yield cls(application, checked, leases)

    async def run(self, ready: Callable[[str], Awaitable[None]] | None = None) -> None:
        """Run until the process is told to end; *ready* is given the API's address when everything runs.

        Raises:
            Unavailable: The database stayed out of reach; everything has stopped in good order.
        """
        settings, ended, loop = self._application.settings, asyncio.Event(), asyncio.get_running_loop()
        leadership: Leadership[Duties[Message]] = Leadership(
            self._leases,
            duties=lambda lease: self._duties(lease, check=partial(leadership.check, lease)),
            monotonic=time.monotonic,
            legs=self.legs,
            end=lambda: loop.call_soon_threadsafe(ended.set),
        )
        self.metrics.watch_leading(lambda: leadership.leads)
        self._application.cluster.writes_until = lambda: leadership.trusted_until
        news = None if self._application.store.database.is_sqlite else CommitNews(settings.database_url)
        intake = Intake(self._deps(news))
        if news is not None:
            self._application.store.on_change = news.tell
            news.start(partial(loop.call_soon_threadsafe, intake.polls.news))
        opening = self._opening()
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
        await asyncio.to_thread(self.agreement.look)
        self._tell_policy()
        await asyncio.to_thread(self.pulse.beat)
        self._cover(self._application.policies.current())
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
        verbs = self.verbs
        return Deps(
            store=self._application.store,
            admit=verbs.admit,
            escalate=verbs.escalate,
            cancel=verbs.cancel,
            notice=verbs.notice,
            pools=self.pools,
            metrics=self.metrics,
            readiness=self._readiness,
            hears=lambda: news is not None and news.hears,
            proxies=self._application.settings.trusted_proxies,
        )

    def _ask_slack(self) -> SlackChecks:
        """Ask Slack who we are, once more."""
        web = client(self._slack.bot_token, self._slack.api_url, timeout_seconds=ASKING_SECONDS)
        return check_app(web, self._application.policies.current(), app_token=None)

    def _opening(self) -> Opening:
        is_http = self._slack.transport is Transport.HTTP
        return Opening(
            installed=lambda: self.slack_watch.installed,
            build=self._door,
            sockets=None if is_http else self._sockets,
            signed=self._signed if is_http else None,
            legs=self.legs,
        )

    def _door(self, installed: Installed) -> App:
        self.directory.belongs_to(installed.team)
        return make_app(
            self._listeners(installed),
            client=async_client(None, self._slack.api_url, timeout_seconds=ASKING_SECONDS),
            token=self._slack.bot_token,
        )

    def _signed(self, app: App) -> SignedHttp:
        return SignedHttp(app, self._slack.signing_secret or "", seconds=clock.seconds)

    def _listeners(self, installed: Installed) -> Listeners:
        answering = async_client(self._slack.bot_token, self._slack.api_url, timeout_seconds=ASKING_SECONDS)
        verbs, store = self.verbs, self._application.store
        return Listeners(
            installed=installed,
            decide=verbs.decide,
            copies=Copies(store=store, cards=self.cards),
            handle=Handle(store=store, engage=verbs.engage_pause, resume=verbs.resume),
            directory=self.directory,
            pools=self.pools,
            acting=Acting(Answers(answering)),
            forms=answering,
        )

    def _sockets(self, app: App) -> Sockets:
        web = async_client(None, self._slack.api_url, timeout_seconds=POSTING_SECONDS)
        return Sockets(app, app_token=self._slack.app_token or "", client=web, report=self.legs)

    def _duties(self, lease: Lease, *, check: Callable[[], None]) -> Duties[Message]:
        """Return what is done under *lease*: whatever it writes is fenced by it, and nothing is sent where *check* raises."""
        store = self._application.store.under(lease)
        verbs = replace(self.verbs, store=store)
        poster = LedPoster(poster=self._poster, check=check)
        cards = Cards(store)
        worker = Worker(store=store, execute=verbs.execute, pool=self.pools.cluster, failed=self.metrics.failed)
        return Duties(
            execute=worker.tick,
            relay=Relay(
                store=store,
                cards=cards,
                lines=ThreadLines(store),
                painter=SlackPainter(self._application.policies),
                poster=poster,
                journey=self.metrics,
                failed=self.metrics.failed,
                hand_over=Orphans(self.cards).hand_over,
            ).step,
            seal=Sealer(store.database, lease=store.lease).seal,
            digests=DigestPost(
                store=store,
                policies=self._application.policies,
                book=AuditBook(store.database),
                digests=Digests(store),
                poster=poster,
                draw=_drawn_digest,
                failed=self.metrics.failed,
            ),
            say_standstills=Standstills(
                self._application.clearances,
                poster,
                policy=self._application.policies.current,
                draw=standstill_message,
                now=clock.utc_now,
                failed=self.metrics.failed,
            ),
            follow_revocations=verbs.follow_revocations,
            show_pauses=Redraws(store),
            show_policy=PolicyRedraws(store, self._application.policies),
            ask_for_resumes=verbs.ask_for_resumes,
            watch_unseen=WatchUnseen(cards=cards, count=self.metrics.unseen),
            count_people=self._headcounts(verbs),
            lead_policy=partial(self.agreement.lead, PolicyInForce(store).move),
            worker=worker,
            forget=self._lead_no_more,
        )

    def _lead_no_more(self) -> None:
        """Show nothing any more that only a leader knows: it would stand as it was for as long as another one leads."""
        self.metrics.unseen(0)
        self.metrics.short_of_people(0)
        for leg in self.legs.of(LegKind.PEOPLE):
            self.legs.forget(LegKind.PEOPLE, leg.of)

    def _scheduler(self, leading: Leadership[Duties[Message]]) -> Scheduler:
        """Return what ticks: what one process alone may do is left out where this one does not lead."""
        only = leading.only
        ticks = (
            Tick(name="expire", seconds=1.0, run=self.verbs.expire),
            Tick(name="follow revocations", seconds=1.0, run=only(lambda duties: duties.follow_revocations())),
            Tick(name="show pauses", seconds=1.0, run=only(lambda duties: duties.show_pauses())),
            Tick(name="show another policy", seconds=1.0, run=only(lambda duties: duties.show_policy())),
            Tick(name="execute", seconds=0.5, run=only(lambda duties: duties.execute())),
            Tick(name="relay", seconds=0.3, run=only(lambda duties: duties.relay())),
            Tick(name=SEAL, seconds=1.0, run=only(lambda duties: duties.seal())),
            Tick(name="watch for unseen questions", seconds=5.0, run=only(lambda duties: duties.watch_unseen())),
            Tick(name="ask for resumes", seconds=5.0, run=only(lambda duties: duties.ask_for_resumes())),
            Tick(name="beat", seconds=BEAT_SECONDS, run=self.pulse.beat),
            Tick(name="watch", seconds=5.0, run=self._watch),
            Tick(name="check", seconds=1.0, run=self._check),
            Tick(name="look at clusters", seconds=CLUSTER_SECONDS, run=self.cluster_watch.look),
            Tick(name="look at Slack", seconds=SLACK_SECONDS, run=self.slack_watch.look),
            Tick(name="say what stands still", seconds=5.0, run=only(lambda duties: duties.say_standstills())),
            Tick(name="reload the policy", seconds=POLICY_SECONDS, run=self._reload),
            Tick(
                name="agree on the policy",
                seconds=1.0,
                run=partial(self._agree, only(lambda duties: duties.lead_policy())),
            ),
            Tick(name="count people", seconds=60.0, run=only(lambda duties: duties.count_people())),
            Tick(name="catch up with digests", seconds=60.0, run=only(lambda duties: duties.digests.catch_up())),
        )
        for tick in ticks:
            self.legs.expect(*leg_of(tick.name), within=max(SILENT_AFTER, timedelta(seconds=10 * tick.seconds)))
        reports = TickReports(self.legs, self.metrics)
        return Scheduler(ticks, self._weeklies(leading), reports=reports)

    def _headcounts(self, verbs: Verbs) -> Headcounts:
        return Headcounts(
            verbs.count_people,
            policies=self._application.policies,
            monotonic=time.monotonic,
            show=self.metrics.short_of_people,
            legs=self.legs,
        )

    def _weeklies(self, leading: Leadership[Duties[Message]]) -> Iterable[Weekly]:
        for environment in self._application.policies.current().environments.values():
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
        self._clock_behind = self.verbs.expire.watch_clock(known=self._clock_behind)
        return self.verbs.expire()

    def _watch(self) -> None:
        """Look at the clock that everything else rests on."""
        self._clock_behind = self.verbs.expire.watch_clock(known=self._clock_behind)
        if self._clock_behind > STEP_WORTH_TELLING:
            why = (
                f"The clock is {round(self._clock_behind.total_seconds())} seconds behind its latest instant. {_CLOCK}"
            )
            self.legs.failing(LegKind.CLOCK, code="stepped_back", why=why)
        else:
            self.legs.good(LegKind.CLOCK)

    def _reload(self) -> None:
        """Take a changed policy on, where it holds; else keep the old one, which is logged."""
        policies = self._application.policies
        if policies.reload(self._adopt):
            self.agreement.loaded(self._application.store.now())
            self.agreement.look()
        self._tell_policy()

    def _leave(self) -> None:
        """Have nobody rule any longer by what this process had, where the store lets us say so."""
        try:
            self.agreement.leave()
        except Unavailable as error:
            log.warning("policy.not_left", why=error.for_operators)

    def _agree(self, lead: Callable[[], object]) -> None:
        """See which versions count; as the leader, put ours in force first, where it may be."""
        lead()
        self.agreement.look()
        self._tell_policy()

    def _tell_policy(self) -> None:
        mistake, differs = self._application.policies.mistake, self.agreement.differs
        if mistake is not None:
            self.legs.failing(LegKind.POLICY, code="policy_mistakes", why=" ".join(mistake.split()))
        elif differs is not None:
            self.legs.failing(LegKind.POLICY, code="another_version", why=differs)
        else:
            self.legs.good(LegKind.POLICY)

    def _adopt(self, policy: Policy, text: str) -> None:
        """Write a reloaded policy down before it rules. What it brings starts nothing before it was checked (I18)."""
        # First, because it may fail: the policy that is still in force then would have lost the checks that are its own.
        self.verbs.adopt(policy, text, by=ITSELF)
        self._cover(policy)
        self._application.grow_sources(policy)

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
        for name in sorted(self._application.policies.current().environments):
            yield self._application.clearances.leg(name, now=now)

    def _readiness(self) -> Readiness:
        """Return whether this process should get traffic; the store is asked now, because all of it needs the store."""
        try:
            with self._application.store.reading() as reading:
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


def _drawn_digest(
    digest: WeeklyDigest,
    environment: Environment,
    replaces: bool,  # noqa: FBT001 - a callback's
    detail: Detail,
) -> Message:
    return digest_message(digest, zone=environment.zone, replaces=replaces, detail=detail)
