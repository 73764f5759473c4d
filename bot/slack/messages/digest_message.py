"""The weekly digest as a message: counts that add up, how long people took, and where the audit chain stands."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from approvals.presentation.digest import DRIFTS, WeeklyDigest, duration_told
from approvals.verbs.workload import counted
from bot.outbox.delivery import Detail
from bot.slack.kit.blocks import Block, Element, context, header, markup, table, words
from bot.slack.kit.limits import HEADER
from bot.slack.kit.message import Message
from bot.slack.kit.text import cut, visible_line

_OUTCOMES: Final = (
    ("approved", "Approved"),
    ("denied", "Denied by a person"),
    ("expired", "Expired, not decided in time"),
    ("cancelled", "Taken back, or token revoked"),
    ("superseded", "Void, the target changed"),
    ("pending", "Still waiting"),
)


_ENDS: Final = {
    "voided": "not carried out",
    "rejected": "refused by the cluster",
    "unknown": "of unknown outcome",
    "abandoned": "closed without knowing",
}
"""How an execution ended, in the words of its card where these are not those of the record."""


def digest_message(digest: WeeklyDigest, *, zone: str, replaces: bool = False, detail: Detail = Detail.FULL) -> Message:
    """Return one environment's week.

    Args:
        digest: The counts.
        zone: An IANA name, in which the week is said.
        replaces: Whether an earlier post of the same week may have been lost.
        detail: Reviewed is without the table, whose counts stand in a line; a line is that and the chain's head.
    """
    week = f"{_day(digest.start, zone)} to {_day(digest.end - timedelta(microseconds=1), zone)} ({zone})"
    text = f"Approvals in {digest.environment}, {week}: {digest.asked} asked, {_in_words(digest)}."
    if detail is Detail.LINE:
        again = " This replaces an earlier post that may have been lost." if replaces else ""
        return Message(text=f"{text}{again} {_head(digest)}", blocks=())
    counts = [[words("Outcome", bold=True), words("Requests", bold=True)], *_rows(digest)]
    blocks: list[Block] = [
        header("digest:title", cut(f"Approvals in {digest.environment}: {week}", HEADER)),
        markup("digest:lead", _lead(digest)),
        table("digest:counts", counts) if detail is Detail.FULL else markup("digest:counts", f"{_in_words(digest)}."),
        markup("digest:rest", "\n".join(_rest(digest))),
    ]
    if digest.unreadable:
        told = f"⚠️ *{counted(digest.unreadable, 'record')} of the audit trail could not be read* and left out. "
        blocks.append(markup("digest:unreadable", f"{told}Run `countersign audit verify`."))
    if replaces:
        blocks.append(
            markup("digest:replaces", "This replaces an earlier post of the same week that may have been lost.")
        )
    blocks.append(context("digest:head", _head(digest)))
    return Message(text=text, blocks=tuple(blocks))


def _day(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d}"


def _lead(digest: WeeklyDigest) -> str:
    if not digest.asked:
        return "*Nobody was asked anything.*"
    share = digest.expired_share or 0.0
    noisy = "" if digest.noisiest is None else f" Most came from `{digest.noisiest[0]}`: {digest.noisiest[1]}."
    return f"*{digest.asked} asked*, of which {share:.0%} expired, not decided in time.{noisy}"


def _rows(digest: WeeklyDigest) -> list[list[Element]]:
    known = dict(_OUTCOMES)
    listed = [(title, digest.outcomes.get(state, 0)) for state, title in _OUTCOMES]
    listed += [(state, count) for state, count in digest.outcomes.items() if state not in known]
    rows = [[words(title), words(str(count))] for title, count in listed]
    return [*rows, [words("Asked in all", bold=True), words(str(digest.asked), bold=True)]]


def _rest(digest: WeeklyDigest) -> list[str]:
    ran = ", ".join(f"{count} {_ENDS.get(state, state)}" for state, count in digest.executions.items()) or "none"
    unseen = [f"*Of those expired, shown to nobody:* {digest.unseen}"] if digest.unseen else []
    return [
        *unseen,
        f"*Time to decide:* {_pace(digest)}",
        f"*Executions:* {ran}",
        f"*Targets otherwise than approved:* {_drifts(digest)}",
        f"*Refused at intake:* {digest.refused} · *answers that did not count:* {digest.answers_refused}",
        f"*Pauses:* {digest.pauses}",
    ]


def _drifts(digest: WeeklyDigest) -> str:
    return ", ".join(f"{digest.drift[when]} {said}" for when, said in DRIFTS.items() if when in digest.drift) or "none"


def _pace(digest: WeeklyDigest) -> str:
    if digest.median is None or digest.p95 is None:
        return "nobody decided anything"
    return f"median {duration_told(digest.median)}, 95 of 100 within {duration_told(digest.p95)}"


def _head(digest: WeeklyDigest) -> str:
    if digest.head is None:
        return "The audit chain is empty."
    return f"Audit chain: {digest.head.number} events, head {visible_line(digest.head.chain, HEADER)}"


def _in_words(digest: WeeklyDigest) -> str:
    """Return every outcome that there was, so that the counts add up here too."""
    counts = [f"{digest.outcomes.get(state, 0)} {state}" for state in ("approved", "denied", "expired")]
    return ", ".join([*counts, *(f"{count} {_IN_WORDS.get(state, state)}" for state, count in _others(digest))])


_IN_WORDS: Final = {
    "cancelled": "taken back or cancelled",
    "superseded": "void",
    "pending": "still waiting",
}


def _others(digest: WeeklyDigest) -> list[tuple[str, int]]:
    told = {"approved", "denied", "expired"}
    return [(state, count) for state, count in digest.outcomes.items() if state not in told and count]
