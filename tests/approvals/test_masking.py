"""Masking: no credential in anybody's words is kept (I12)."""

import pytest

from approvals.audit import AuditEvent, Kind
from approvals.masking import MASK, masked
from tests.builders import ADA, NOON

SECRETS = {
    "Slack's bot token": "xoxb-1234567890-abcdef",
    "Slack's app token": "xapp-1-A0123456789-abc",
    "ours": "cst_" + "a" * 24,
    "a signed token": "eyJhbGciOiJI.eyJzdWIiOiJh.c2lnbmF0dXJl",
    "a cloud's key": "AKIA" + "A1B2" * 4,
    "a forge's token": "ghp_" + "a" * 36,
    "a key file": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_what_looks_like_a_credential_is_masked_and_nothing_else(secret):
    """The words around it stay as they are."""
    assert masked(f"use {secret} please, and {secret}") == f"use {MASK} please, and {MASK}"


def test_a_key_file_that_is_cut_off_is_masked_to_its_end():
    """Where the end is missing, nothing tells where the key ends."""
    assert masked("key:\n-----BEGIN PRIVATE KEY-----\nMIIEvQ\nIBADAN") == f"key:\n{MASK}"


@pytest.mark.parametrize(
    "plain", ["", "p99 is 4.1 s", "xoxb-", "AKIA is a prefix", "eyJ.a.b", "the PRIVATE KEY is elsewhere"]
)
def test_ordinary_words_are_left_alone(plain):
    """A mask that eats what people wrote would be a lie of another kind."""
    assert masked(plain) == plain


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_no_event_takes_a_credential_along(secret):
    """I12: whatever text goes beside the trail, and so into the database, has passed the mask, whoever made the event."""
    event = AuditEvent(
        kind=Kind.REQUEST_OPENED, stream="request:esc_1", actor=ADA, at=NOON, private={"rationale": f"with {secret}"}
    )

    assert event.private == {"rationale": f"with {MASK}"}
