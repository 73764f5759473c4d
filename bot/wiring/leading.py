"""What the leader alone does, put together anew for each of its turns: whatever it writes is fenced by the lease of that turn."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from approvals.policy.policy import Environment
from approvals.presentation.digest import WeeklyDigest
from bot import clock
from bot.checks.headcounts import Headcounts
from bot.health.legs import LegKind
from bot.outbox.delivery import Detail
from bot.outbox.digests import DigestPost
from bot.outbox.orphans import Orphans
from bot.outbox.relay import Relay
from bot.outbox.standstills import Standstills
from bot.outbox.unseen import WatchUnseen
from bot.runtime.pools import Pools
from bot.runtime.worker import Worker
from bot.slack.kit.message import Message
from bot.slack.messages.digest_message import digest_message
from bot.slack.messages.painter import SlackPainter
from bot.slack.messages.standstill_message import standstill_message
from bot.slack.workspace.poster import SlackPoster
from bot.wiring.duties import Duties, LedPoster
from bot.wiring.parts import Parts
from bot.wiring.use_cases import UseCases
from models.audit.book import AuditBook
from models.audit.sealer import Sealer
from models.outbox.cards import Cards
from models.outbox.digests import Digests
from models.outbox.policy_redraws import PolicyRedraws
from models.outbox.redraws import Redraws
from models.outbox.thread_lines import ThreadLines
from models.store.fence import Lease
from models.store.policy_in_force import PolicyInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class Leading:
    """Makes the duties of a turn."""

    parts: Parts
    pools: Pools
    cards: Cards
    """Outside any lease: what a copy that another process posted is handed over to."""
    poster: SlackPoster
    """The process's own, however often it leads: Slack's pace does not begin anew."""

    def under(self, lease: Lease, *, check: Callable[[], None]) -> Duties[Message]:
        """Return what is done under *lease*; nothing is sent where *check* raises."""
        parts, failed = self.parts, self.parts.metrics.failed
        store = parts.store.under(lease)
        use_cases = replace(parts.use_cases, store=store)
        poster = LedPoster(poster=self.poster, check=check)
        cards = Cards(store)
        worker = Worker(store=store, execute=use_cases.execute, pool=self.pools.cluster, failed=failed)
        return Duties(
            execute=worker.tick,
            relay=Relay(
                store=store,
                cards=cards,
                lines=ThreadLines(store),
                painter=SlackPainter(parts.policies),
                poster=poster,
                journey=parts.metrics,
                failed=failed,
                hand_over=Orphans(self.cards).hand_over,
            ).step,
            seal=Sealer(store.database, lease=store.lease).seal,
            digests=DigestPost(
                store=store,
                policies=parts.policies,
                book=AuditBook(store.database),
                digests=Digests(store),
                poster=poster,
                draw=_drawn_digest,
                failed=failed,
            ),
            say_standstills=Standstills(
                parts.clearances,
                poster,
                policy=parts.policies.current,
                draw=standstill_message,
                now=clock.utc_now,
                failed=failed,
            ),
            follow_revocations=use_cases.follow_revocations,
            show_pauses=Redraws(store),
            show_policy=PolicyRedraws(store, parts.policies),
            ask_for_resumes=use_cases.ask_for_resumes,
            watch_unseen=WatchUnseen(cards=cards, count=parts.metrics.unseen),
            count_people=self._headcounts(use_cases),
            lead_policy=partial(parts.agreement.lead, PolicyInForce(store).move),
            worker=worker,
            forget=self._lead_no_more,
        )

    def _headcounts(self, use_cases: UseCases) -> Headcounts:
        return Headcounts(
            use_cases.count_people,
            policies=self.parts.policies,
            monotonic=time.monotonic,
            show=self.parts.metrics.short_of_people,
            legs=self.parts.legs,
        )

    def _lead_no_more(self) -> None:
        """Show nothing any more that only a leader knows: it would stand as it was for as long as another one leads."""
        legs, metrics = self.parts.legs, self.parts.metrics
        metrics.unseen(0)
        metrics.short_of_people(0)
        for leg in legs.of(LegKind.PEOPLE):
            legs.forget(LegKind.PEOPLE, leg.of)


def _drawn_digest(
    digest: WeeklyDigest,
    environment: Environment,
    replaces: bool,  # noqa: FBT001 - a callback's
    detail: Detail,
) -> Message:
    return digest_message(digest, zone=environment.zone, replaces=replaces, detail=detail)
