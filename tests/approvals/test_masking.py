"""Masking: no credential in anybody's words is kept (I12)."""

import time

import pytest

from approvals.audit.events import AuditEvent, EventKind
from approvals.masking import MASK, masked
from tests.builders import ADA, NOON

SECRETS = {
    "Slack's bot token": "xoxb-1234567890-abcdef",
    "Slack's app token": "xapp-1-A0123456789-abc",
    "ours": "cst_" + "a" * 24,
    "a signed token": "eyJhbGciOiJI.eyJzdWIiOiJh.c2lnbmF0dXJl",
    "a cloud's key": "AKIA" + "A1B2" * 4,
    "a temporary one": "ASIA" + "A1B2" * 4,
    "a forge's token": "ghp_" + "a" * 36,
    "a fine-grained one": "github_pat_" + "a1_" * 10,
    "another forge's": "glpat-" + "a" * 20,
    "a cloud's API key": "AIza" + "a" * 35,
    "a model vendor's key": "sk-proj-" + "a" * 40,
    "a payment vendor's key": "sk_live_" + "a" * 24,
    "an address that posts": "hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdefgh",
    "a rotating token": "xoxe.xoxb-1-abcdefghijk",
    "an unsigned token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
    "a model vendor's other key": "sk-ant-api03-" + "a1-_" * 20,
    "a registry's token": "npm_" + "a1" * 18,
    "another registry's": "pypi-" + "AgEIcHlw_-" * 8,
    "a runner's token": "glrt-" + "a" * 20,
    "a vault's token": "hvs." + "CAES" * 8,
    "a dashboard's token": "glsa_" + "a1" * 16 + "_01234567",
    "a hook's secret": "whsec_" + "a1" * 12,
    "a mailer's key": "SG." + "a1" * 11 + "." + "b2" * 20,
    "a PGP key": "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQ\n-----END PGP PRIVATE KEY BLOCK-----",
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
    "plain",
    [
        "",
        "task-force and risk-based sk-values",
        "https://example.com:8443/a",
        "mail a@b.example",
        "p99 is 4.1 s",
        "xoxb-",
        "AKIA is a prefix",
        "eyJ.a.b",
        "the PRIVATE KEY is elsewhere",
        "a bearer token, Bearer of news, basic authentication",
    ],
)
def test_ordinary_words_are_left_alone(plain):
    """A mask that eats what people wrote would be a lie of another kind."""
    assert masked(plain) == plain


@pytest.mark.parametrize(
    "part", ["eyJ", "eyJ\u200b", "-----BEGIN ", "-----END ", "sk-", "sk-a", "://a:", "Bearer ", "SG.a", "a-"]
)
def test_no_text_takes_long_to_mask(part):
    """A monitor's text may have megabytes, and nothing else runs meanwhile: time grows with its length (I13)."""
    began = time.monotonic()
    masked(part * (1_000_000 // len(part)))

    assert time.monotonic() - began < 10.0


def test_a_signed_token_is_found_wherever_a_word_begins():
    """What is written right before it hides nothing."""
    assert masked("use token_eyJhbGciOiJI.eyJzdWIiOiJh.c2lnbmF0dXJl now") == f"use token_{MASK} now"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Authorization: Bearer " + "a1" * 12, f"Authorization: {MASK}"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", f"Authorization: {MASK}"),
        ("redis://:hunter2@cache/0", f"redis://{MASK}@cache/0"),
    ],
)
def test_what_says_of_itself_that_it_is_a_credential_is_masked(said, shown):
    """A header's scheme, or a password without a name before it."""
    assert masked(said) == shown


def test_a_password_in_an_address_is_masked():
    """The host stays: it says where."""
    assert masked("postgresql://bot:s3cr3t@db.example/x") == f"postgresql://{MASK}@db.example/x"


@pytest.mark.parametrize("between", ["\u200b", "\u2060", "\u3164", "\ufe0f", "\x00", "\u202e"], ids=ascii)
def test_what_draws_nothing_gets_no_credential_past_the_mask(between):
    """A reader would see the credential whole, and copy it."""
    secret = "xoxb-1234567890-abcdef"

    assert (
        masked(f"{between}a {secret[:7]}{between}{between}{secret[7:]} b{between}") == f"{between}a {MASK} b{between}"
    )


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_no_event_takes_a_credential_along(secret):
    """I12: whatever text goes beside the trail, and so into the database, has passed the mask, whoever made the event."""
    event = AuditEvent(
        kind=EventKind.REQUEST_OPENED,
        stream="request:esc_1",
        actor=ADA,
        at=NOON,
        private={"rationale": f"with {secret}"},
    )

    assert event.private == {"rationale": f"with {MASK}"}
