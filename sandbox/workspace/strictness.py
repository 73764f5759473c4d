"""Every way in which the stand-in is as strict as Slack, each as a named switch.

The defaults are Slack's rules, or the hardest reading of them where Slack is
vague. A test turns one switch to prove that a suite would notice: a stand-in
that forgives is a stand-in that lies. Nothing here acts; every switch is read
by the module that enforces it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# Calls a minute, by Slack's published tiers. Methods without a tier in Slack's documents are left out.
METHOD_RATES: Mapping[str, int] = MappingProxyType(
    {
        "chat.update": 50,
        "chat.postEphemeral": 100,
        "usergroups.users.list": 20,
        "users.info": 100,
        "views.open": 100,
        "views.update": 100,
        "conversations.info": 50,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strictness:
    """What the stand-in refuses. Seconds are wall-clock seconds; None switches a numeric rule off.

    Attributes:
        block_shape: Refuse unknown block types, elements and fields, wrong types and missing fields.
        block_limits: Refuse texts and lists beyond Slack's limits.
        block_empty_text: Refuse an empty mrkdwn or plain text and an empty rich_text.
        block_unique_ids: Refuse a block_id used twice, and an action_id used twice in one block.
        block_total_characters: Refuse messages whose blocks are longer than this as compact JSON. Slack documents
            12,000 characters plus room for containers; refusals were reported from 11,300 characters of text in many
            containers to 13,297 in one, which the length of the JSON explains and that of the text does not.
        update_text_characters: Refuse a chat.update whose text is longer.
        update_block_mismatch: Refuse an update that gives a rich_text block's id to another type, or the reverse.
        own_messages_only: Refuse to update another author's message.
        known_arguments_only: Refuse arguments a method does not have. Slack ignores them; a misspelt one is a defect.
        scopes: Refuse a method whose scope was not granted.
        membership: Refuse channels the bot was not invited to.
        post_rate: chat.postMessage calls a second in one channel.
        post_burst: How many of them may come at once.
        method_rates: Calls a minute for the other methods, all of which may come at once.
        trigger_seconds: Life of a trigger_id.
        trigger_single_use: Refuse a trigger_id that has opened a view already.
        response_url_uses: How often a response_url answers.
        response_url_seconds: Life of a response_url.
        ack_seconds: How long the person waits for the app before they are told that it failed.
        one_connection_per_envelope: Send each envelope to one connection only, picked at random.
        max_connections: Socket Mode connections held at once; one more is turned away.
        connection_seconds: Age at which a connection is told to go. Slack refreshes every few hours.
        connection_warning_seconds: How long before that it is warned.
        event_retry_seconds: Pauses before each further attempt to deliver an event that was not acknowledged.
        sign_requests: Sign what is sent over HTTP; switched off, the signature is one that does not verify.
        bare_mentions: Treat a bare @here, #channel or URL in mrkdwn without ``verbatim`` as the live thing.
    """

    block_shape: bool = True
    block_limits: bool = True
    block_empty_text: bool = True
    block_unique_ids: bool = True
    block_total_characters: int | None = 13_200
    update_text_characters: int | None = 4_000
    update_block_mismatch: bool = True
    own_messages_only: bool = True
    known_arguments_only: bool = True
    scopes: bool = True
    membership: bool = True
    post_rate: float | None = 1.0
    post_burst: int = 3
    method_rates: Mapping[str, int] = field(default_factory=lambda: METHOD_RATES)
    trigger_seconds: float | None = 3.0
    trigger_single_use: bool = True
    response_url_uses: int | None = 5
    response_url_seconds: float | None = 1_800.0
    ack_seconds: float = 3.0
    one_connection_per_envelope: bool = True
    max_connections: int = 10
    connection_seconds: float | None = 4 * 3_600.0
    connection_warning_seconds: float = 10.0
    event_retry_seconds: tuple[float, ...] = (0.0, 60.0, 300.0)
    sign_requests: bool = True
    bare_mentions: bool = True
