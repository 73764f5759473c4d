"""Answers to an interaction outside the Web API: response URLs and what an acknowledgement says.

Both may show a private note, post, replace or delete. Neither is held to the
total length of a message, and both are ephemeral unless they ask otherwise.
"""

from aiohttp import web

from sandbox.workspace.core import Core
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.records import Ephemeral, Message
from sandbox.workspace.tickets import ResponseUrl
from sandbox.workspace.webapi.calls import Refused, read_arguments
from sandbox.workspace.webapi.content import Content, read_content

_KNOWN = frozenset(
    {"text", "blocks", "attachments", "metadata", "response_type", "replace_original", "delete_original", "thread_ts"}
    | {"unfurl_links", "unfurl_media"}
)


class Replies:
    """Serves response URLs and carries out what acknowledgements of commands ask for."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one POST to a response_url: ``ok``, or Slack's error as text with status 404."""
        if self._core.faults.outage:
            return web.Response(status=503, text="service_unavailable")
        try:
            arguments = await read_arguments(request)
            url, error = self._core.tickets.redeem_url(request.match_info["token"])
            if url is None or error is not None:
                return web.Response(status=404, text=error or "invalid_url")
            self.apply(url, arguments)
        except Refused as refused:
            return web.json_response(refused.answer(), status=400)
        return web.Response(text="ok")

    def apply(self, url: ResponseUrl, arguments: JsonObject) -> None:
        """Do what an answer asks for.

        Raises:
            Refused: It asks for what Slack does not accept.
        """
        if unknown := sorted(set(arguments) - _KNOWN):
            raise Refused("invalid_payload", messages=[f"[ERROR] no such argument: {name}" for name in unknown])
        if arguments.get("delete_original") is True:
            self._delete(url)
            return
        content = read_content(self._core, arguments, total_limit=False)
        if arguments.get("replace_original") is True and url.ts is not None:
            self._replace(url, url.ts, content)
        elif arguments.get("response_type") == "in_channel":
            self._post(url, content, arguments)
        else:
            self._note(url, content, ts=self._core.timestamps.next())

    def _delete(self, url: ResponseUrl) -> None:
        if url.ts is None:
            return
        if url.ephemeral:
            self._core.store.delete_ephemeral(url.user, url.ts)
        elif self._core.store.message(url.channel, url.ts) is not None:
            self._core.store.delete_message(url.channel, url.ts)

    def _replace(self, url: ResponseUrl, ts: str, content: Content) -> None:
        if url.ephemeral:
            self._note(url, content, ts=ts)
            return
        message = self._core.store.message(url.channel, ts)
        if message is None:
            raise Refused("message_not_found")
        message.text, message.blocks = content.text, content.blocks or []
        self._core.store.put_message(message)

    def _post(self, url: ResponseUrl, content: Content, arguments: JsonObject) -> None:
        seed = self._core.seed
        thread_ts = arguments.get("thread_ts", url.thread_ts)
        self._core.store.put_message(
            Message(
                channel=url.channel,
                ts=self._core.timestamps.next(),
                user=seed.bot_user_id,
                text=content.text,
                blocks=content.blocks or [],
                bot_id=seed.bot_id,
                app_id=seed.app_id,
                team=seed.team_id,
                thread_ts=thread_ts if isinstance(thread_ts, str) else None,
                metadata=content.metadata,
            )
        )

    def _note(self, url: ResponseUrl, content: Content, *, ts: str) -> None:
        self._core.store.put_ephemeral(
            Ephemeral(
                channel=url.channel,
                ts=ts,
                user=url.user,
                text=content.text,
                blocks=content.blocks or [],
                thread_ts=url.thread_ts,
            )
        )
