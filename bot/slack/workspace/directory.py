"""The directory: asks Slack who is who, live. It implements :class:`approvals.ports.directory.Directory`.

Accounts are asked about at every call; group lists may be a few seconds old and are dropped when Slack says that one changed.
What Slack does not answer in time is left out, or as old as it says: the last answers are kept for an hour, each with the
instant it was seen, because a denial may go by them. Whether an answer is fresh enough is never judged here.

Who pauses or denies is asked about in threads of their own, and waits for no question of anybody else's: eight approvals at once,
with their earlier voters, keep the ordinary threads busy for longer than a denial may wait.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final, Generic, TypeVar

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient
from typing_extensions import override

from approvals.identity.names import Account, Group, id_of, is_slack_account, slack_account, team_of
from approvals.identity.people import REMEMBERED, Authority, Membership, MemberStatus
from approvals.ports.directory import Directory
from approvals.ports.store import Urgency
from bot.slack.workspace.errors import CONNECTION_ERRORS, code_of

log = structlog.get_logger(__name__)

GROUP_AGE: Final = timedelta(seconds=8)
"""How old a group's list may be to be used again: less than what counts as fresh, because the judging comes later."""

PATIENCE_SECONDS: Final = 1.8
"""How long one call waits for all answers together: the click must be answered within three seconds."""

AT_ONCE: Final = 8
"""How many questions are on their way at once in each lane: in the urgent one two for each act that its pool takes on at once,
which are who it is and a group."""

KEPT: Final = 5_000
"""How many accounts and groups are remembered, each."""

_NOBODY: Final = frozenset({"user_not_found", "user_not_visible"})
"""Slack's answers for an account that it does not know here: that is an answer, too."""

_NO_GROUP: Final = frozenset({"no_such_subteam", "subteam_not_found", "invalid_subteam", "plan_upgrade_required"})
"""A group that is gone or disabled has no members; that is never "everybody"."""

SLACKBOT: Final = "USLACKBOT"
"""Slack says of it that it is no bot."""

T = TypeVar("T")


class Kept(Generic[T]):
    """The last answers, by id, bounded: the one longest unused goes first."""

    def __init__(self, most: int) -> None:
        """Begin with none."""
        self._most = most
        self._answers: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> T | None:
        """Return the last answer, if there is one."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, key: str, answer: T) -> None:
        """Keep an answer."""
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)

    def drop(self, key: str) -> None:
        """Forget an answer."""
        with self._lock:
            self._answers.pop(key, None)


class SlackDirectory(Directory):
    """Asks as the app's bot, some accounts at a time."""

    def __init__(self, client: WebClient, *, team: str | None, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Keep whom to ask.

        Args:
            client: Of the Web API.
            team: The workspace that its token belongs to: anybody else is from outside. None where Slack has not said it
                yet: until :meth:`belongs_to` nothing is known of anybody.
            patience_seconds: How long one call waits for all answers together.
        """
        self._client = client
        self._patience = patience_seconds
        self._team = team
        self._standings: Kept[MemberStatus] = Kept(KEPT)
        self._groups: Kept[Membership] = Kept(KEPT)
        self._members: Kept[bool] = Kept(KEPT)
        """Whom of other teams our workspace lists, as Slack said last: it names them, and says nothing of what they may do."""
        self._dropped: dict[str, int] = {}
        self._asking: dict[tuple[Urgency, str], Future[Membership | None]] = {}
        self._lock = Lock()
        self._threads = {lane: ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"directory-{lane}") for lane in Urgency}

    @override
    def authority(
        self,
        *,
        accounts: Iterable[Account],
        groups: Iterable[Group],
        at: datetime,
        anew: bool = False,
        within: timedelta = timedelta(0),
        lane: Urgency = Urgency.NORMAL,
    ) -> Authority:
        """Return what is known of *accounts* and *groups*, as far as Slack answers in time."""
        asked_accounts = {one: self._standing_soon(one, at, within=within, lane=lane) for one in set(accounts)}
        asked_groups = {one: self._membership_soon(one, at, anew=anew, lane=lane) for one in set(groups)}
        futures: list[Future[Any]] = [*asked_accounts.values(), *asked_groups.values()]
        wait(futures, timeout=self._patience)
        for late in asked_accounts.values():
            late.cancel()  # Nobody waits for it any more; a group's answer may have others waiting.
        return Authority(
            standings=_answers(asked_accounts, self._standings, lambda known: known.seen_at, at),
            groups=_answers(asked_groups, self._groups, lambda known: known.seen_at, at),
        )

    def account_here(self, account: Account, *, lane: Urgency = Urgency.NORMAL) -> Account:
        """Return by which account whoever signs as *account* counts: as a member of our workspace where Slack lists them in it.

        In an organisation a click names the organisation, or a sister workspace, as its people's team. Anybody else stays who
        they are, and so does everybody of whom Slack does not say it in time, unless it has said it before; whether they may
        answer is judged by what is known of that account.
        """
        own, team, user_id = self._team, team_of(account), id_of(account)
        if own is None or team == own:
            return account
        asked = self._threads[lane].submit(self._listed, user_id, own)
        wait([asked], timeout=self._patience)
        asked.cancel()
        listed = _answer_of(asked, account)
        if listed is None:
            listed = self._members.get(account)
        else:
            self._members.put(account, listed)
        return slack_account(own, user_id) if listed else account

    def _listed(self, user_id: str, own: str) -> bool | None:
        try:
            return _is_listed(self._client.users_info(user=user_id)["user"], own)
        except SlackApiError as error:
            if code_of(error) in _NOBODY:
                return False
            _log_unanswered("users.info", error)
        except (*CONNECTION_ERRORS, TypeError) as error:
            _log_unanswered("users.info", error)
        return None

    def belongs_to(self, team: str | None) -> None:
        """Take down which workspace the token belongs to; None while nobody knows, and then nothing is known of anybody."""
        self._team = team

    def forget_group(self, group: Group) -> None:
        """Drop what is known of a group ``TEAM:SUBTEAM``: Slack says that its members changed."""
        with self._lock:
            # An answer that is on its way may be older than the change.
            self._dropped[group] = self._dropped.get(group, 0) + 1
            for lane in Urgency:
                self._asking.pop((lane, group), None)
        self._groups.drop(group)

    def close(self) -> None:
        """Ask nothing more."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    def _standing_soon(
        self, account: Account, at: datetime, *, within: timedelta, lane: Urgency
    ) -> "Future[MemberStatus | None]":
        known = self._standings.get(account) if within else None
        if known is not None and timedelta(0) <= at - known.seen_at <= within:
            return _done(known)
        return self._threads[lane].submit(self._standing, account, at)

    def _standing(self, account: Account, at: datetime) -> MemberStatus | None:
        team, user_id = team_of(account), id_of(account)
        if self._team is None:
            return None
        try:
            answer = self._client.users_info(user=user_id)
            standing = _standing_of(account, answer["user"], own_team=self._team, at=at)
        except SlackApiError as error:
            if code_of(error) not in _NOBODY:
                _log_unanswered("users.info", error)
                return None
            standing = MemberStatus(
                account=account, seen_at=at, known=False, active=False, full_member=team == self._team
            )
        except (*CONNECTION_ERRORS, TypeError) as error:
            _log_unanswered("users.info", error)
            return None
        self._standings.put(account, standing)
        return standing

    def _membership_soon(self, group: Group, at: datetime, *, anew: bool, lane: Urgency) -> "Future[Membership | None]":
        """Return the group's members, now or soon; whoever asks while somebody in the lane is asking waits for the same answer.

        What is urgent never waits for another lane's question: that one may not even have been put to Slack yet.
        """
        known = self._groups.get(group)
        if known is not None and not anew and timedelta(0) <= at - known.seen_at <= GROUP_AGE:
            return _done(known)
        with self._lock:
            if not anew and (lane, group) in self._asking:
                return self._asking[lane, group]
            future = self._threads[lane].submit(self._membership, group, at, self._dropped.get(group, 0))
            self._asking[lane, group] = future
        future.add_done_callback(lambda answered: self._asked(lane, group, answered))
        return future

    def _asked(self, lane: Urgency, group: Group, answered: "Future[Membership | None]") -> None:
        with self._lock:
            if self._asking.get((lane, group)) is answered:
                del self._asking[lane, group]

    def _membership(self, group: Group, at: datetime, dropped: int) -> Membership | None:
        team, group_id = team_of(group), id_of(group)
        try:
            answer = self._client.usergroups_users_list(usergroup=group_id)
            users = frozenset(
                Account(one) for one in (f"{team}:{user}" for user in answer["users"]) if is_slack_account(one)
            )
        except SlackApiError as error:
            if code_of(error) not in _NO_GROUP:
                _log_unanswered("usergroups.users.list", error)
                return None
            users = frozenset()
        except (*CONNECTION_ERRORS, TypeError) as error:
            _log_unanswered("usergroups.users.list", error)
            return None
        membership = Membership(accounts=users if team == self._team else frozenset(), seen_at=at)
        with self._lock:
            if self._dropped.get(group, 0) == dropped:
                self._groups.put(group, membership)
        return membership


def _log_unanswered(method: str, error: Exception) -> None:
    why = code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
    log.warning("directory.not_answered", method=method, why=why)


A = TypeVar("A")
K = TypeVar("K", bound=str)


def _answers(
    asked: "dict[K, Future[A | None]]", kept: Kept[A], seen_at: Callable[[A], datetime], at: datetime
) -> dict[K, A]:
    """Return the answers that came, and the last known ones, no older than an hour, of what did not answer."""
    found: dict[K, A] = {}
    for key, future in asked.items():
        answer = _answer_of(future, key)
        known = answer if answer is not None else kept.get(key)
        if known is not None and at - seen_at(known) <= REMEMBERED:
            found[key] = known
    return found


def _answer_of(future: "Future[A | None]", key: str) -> A | None:
    """Return the answer that came; whatever went wrong is no answer, and costs nobody else's."""
    if not future.done() or future.cancelled():
        return None
    error = future.exception()
    if error is not None:
        log.error("directory.failed", about=key, exc_info=error)
        return None
    return future.result()


def _done(answer: A) -> "Future[A | None]":
    future: Future[A | None] = Future()
    future.set_result(answer)
    return future


def _is_listed(user: dict[str, Any], team: str) -> bool:
    """Tell whether the workspace *team* of an organisation has *user* among its members: their own team is another one there."""
    organisation = user.get("enterprise_user")
    teams = organisation.get("teams") if isinstance(organisation, dict) else None
    return isinstance(teams, list) and team in teams


def _standing_of(account: Account, user: dict[str, Any], *, own_team: str, at: datetime) -> MemberStatus:
    """Return the standing of *account* by Slack's flags; what Slack leaves out counts against it where it could matter.

    ``is_app_user`` says that a person has authorised an app, so it counts for nothing here.
    """
    team = team_of(account)
    own = team == own_team and (user.get("team_id") == own_team or _is_listed(user, own_team))
    outside = any(user.get(flag, False) for flag in ("is_restricted", "is_ultra_restricted", "is_stranger"))
    machine = user.get("is_bot", True) or user.get("is_workflow_bot", False) or user.get("id") == SLACKBOT
    return MemberStatus(
        account=account,
        seen_at=at,
        active=user.get("deleted") is False,
        human=not machine,
        full_member=own and not outside,
    )
