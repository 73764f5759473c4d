"""Listeners: one for each thing a person can do. Each reads who, where and what, calls the verb, and sees that they are told.

Who somebody is comes from what Slack itself put into the payload. Nothing is remembered between two clicks: the row decides,
so a double click, a late one and one after a restart are the same case.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from pydantic import ValidationError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from approvals.errors import NotEligible
from approvals.identity.names import Account, Channel, group_of, id_of, team_of
from approvals.ports.store import Urgency
from approvals.presentation.wording import Stop, unpaused
from approvals.usecases.people.decide import Decide, PersonsAnswer, lane_of
from approvals.workflow.request import Answer, Via
from bot.runtime.pools import BoundedPool, Pools
from bot.slack.inbound import commands
from bot.slack.inbound.acting import SLOW, Acting, RefusalWords
from bot.slack.inbound.answers import Person, body_of
from bot.slack.inbound.commands import Handle, Off, wish_of
from bot.slack.inbound.copies import Copies, MessagePlace
from bot.slack.inbound.deny_form import REASON_BLOCK, Denial, denial_of, form, headline_of, reason_of, title_of, told
from bot.slack.inbound.payloads import Click, Command, GroupChanged, Submission
from bot.slack.kit.blocks import plain_sentence, sentence_markup
from bot.slack.messages.buttons import ButtonValue, asked_of
from bot.slack.workspace.directory import SlackDirectory
from bot.slack.workspace.errors import CONNECTION_ERRORS
from bot.slack.workspace.pin import Installed

log = structlog.get_logger(__name__)

UNKNOWN: Final = "Nothing was decided: that button is of an older or newer version and does nothing any more."
UNREADABLE: Final = "Nothing was decided: that could not be understood."
NO_FORM: Final = "Nothing was decided: the form did not open in time. Try again, or use the plain Deny button."

ELSEWHERE: Final = "Countersign works for a workspace of your organisation that does not list you among its members."

STOPPING: Final = RefusalWords(of=unpaused, broken=commands.BROKEN)
"""What is said where a stop came to nothing."""

_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """What people can do in Slack."""

    installed: Installed
    decide: Decide
    copies: Copies
    handle: Handle
    directory: SlackDirectory
    pools: Pools
    acting: Acting
    forms: AsyncWebClient
    """With a short timeout: a form must open before its trigger dies."""

    async def approve(self, body: dict[str, Any]) -> BoltResponse:
        """Take an approval."""
        return await self._answer(body, Answer.APPROVE, self.pools.decide)

    async def deny(self, body: dict[str, Any]) -> BoltResponse:
        """Take a denial."""
        return await self._answer(body, Answer.DENY, self.pools.urgent)

    async def ask_reason(self, body: dict[str, Any]) -> BoltResponse:
        """Open the form that asks why; first of all, because its trigger lives three seconds."""
        click = Click.model_validate(body)
        asked = asked_of(click.actions[0].value)
        person = self._person(click)
        if asked is None:
            self.acting.tell(person, UNREADABLE)
            return _ok()
        place = self._place(click)
        view = form(Denial(asked=asked, channel=place.channel, ts=place.ts), title=title_of(click))
        try:
            await self.forms.views_open(trigger_id=click.trigger_id, view=view)
        except CONNECTION_ERRORS as error:
            log.warning("form.not_opened", account=person.account, why=type(error).__name__)
            self.acting.tell(person, NO_FORM)
        return _ok()

    async def deny_with_reason(self, body: dict[str, Any]) -> BoltResponse:
        """Take a denial with its reason; a refusal is shown in the form, which stays open."""
        submission = Submission.model_validate(body)
        denial = denial_of(submission.view)
        if denial is None:
            return _in_form(UNREADABLE)
        person = Person(
            account=submission.account,
            user=submission.user.id,
            channel=id_of(denial.channel),
            response_url=None,
            about=denial.asked.request,
        )
        place = MessagePlace(channel=denial.channel, ts=denial.ts)
        work = self._deciding(denial.asked, place, person.account, Answer.DENY, reason_of(submission.view))
        said = await self.acting.attempt(person, self.pools.urgent, work)
        if said is None:
            return _json({"response_action": "update", "view": told(SLOW, title="Not done yet")})
        if not said.done:
            return _in_form(plain_sentence(said.text))
        self.acting.tell(person, said.text)
        return _ok()

    async def pause(self, body: dict[str, Any]) -> BoltResponse:
        """Carry out ``/agent-pause``; the answer goes back with the acknowledgement."""
        command = Command.model_validate(body)
        person = Person(
            account=command.account,
            user=command.user_id,
            channel=command.channel_id,
            response_url=command.response_url,
        )

        wish = wish_of(command.text)

        def work() -> str:
            lane = Urgency.NORMAL if isinstance(wish, Off) else Urgency.URGENT
            account = self.directory.account_here(person.account, lane=lane)
            if team_of(account) != self.installed.team and not isinstance(wish, Stop):
                raise NotEligible(ELSEWHERE, code="guest")
            return self.handle(wish, account=account)

        pool = self.pools.decide if isinstance(wish, Off) else self.pools.urgent
        words = STOPPING if isinstance(wish, Stop) else None
        said = await self.acting.attempt(person, pool, work, words)
        return _json({"response_type": "ephemeral", **body_of(commands.SLOW if said is None else said.text)})

    async def unknown(self, body: dict[str, Any]) -> BoltResponse:
        """Answer a button that we do not know: Slack would only show that nothing happened."""
        self.acting.tell(self._person(Click.model_validate(body)), UNKNOWN)
        return _ok()

    async def group_changed(self, event: dict[str, Any]) -> BoltResponse:
        """Drop what is known of a user group."""
        try:
            changed = GroupChanged.model_validate(event)
        except ValidationError:
            log.warning("event.not_understood", kind="subteam_members_changed")
            return _ok()
        self.directory.forget_group(group_of(f"{changed.team_id}:{changed.subteam_id}"))
        return _ok()

    async def _answer(self, body: dict[str, Any], answer: Answer, pool: BoundedPool) -> BoltResponse:
        click = Click.model_validate(body)
        person = self._person(click)
        asked = asked_of(click.actions[0].value)
        if asked is None:
            self.acting.tell(person, UNREADABLE)
            return _ok()
        work = self._deciding(asked, self._place(click), person.account, answer, "")
        await self.acting.act(person, pool, work)
        return _ok()

    def _deciding(
        self, asked: ButtonValue, place: MessagePlace, account: Account, answer: Answer, reason: str
    ) -> Callable[[], str]:
        def work() -> str:
            here = self.directory.account_here(account, lane=lane_of(answer))
            given = PersonsAnswer(
                request=asked.request,
                account=here,
                answer=answer,
                via=Via.SLACK,
                fingerprint=asked.fingerprint,
                reason=reason,
            )
            self.copies.check(asked.request, place, account=here, answer=answer)
            return sentence_markup(self.decide(given).sentence)

        return work

    def _place(self, click: Click) -> MessagePlace:
        return MessagePlace(
            channel=Channel(f"{self.installed.team}:{click.container.channel_id}"), ts=click.container.message_ts
        )

    def _person(self, click: Click) -> Person:
        return Person(
            account=click.account,
            user=click.user.id,
            channel=click.container.channel_id,
            response_url=click.response_url,
            about=headline_of(click),
        )


def _ok() -> BoltResponse:
    return BoltResponse(status=_OK, body="")


def _json(body: dict[str, Any]) -> BoltResponse:
    return BoltResponse(status=_OK, body=body)


def _in_form(text: str) -> BoltResponse:
    return _json({"response_action": "errors", "errors": {REASON_BLOCK: text}})
