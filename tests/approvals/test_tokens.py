"""Tokens: kept by their hash, good until they end, written down when they come and go."""

from dataclasses import replace
from hashlib import sha256

import pytest

from approvals.audit.events import AuditEvent, EventKind
from approvals.errors import Settled
from approvals.facts import facts_of
from approvals.identity.place import Place
from approvals.identity.tokens import Token, created, revoke, token_hash
from tests.builders import HOUR, NOON, TICK, a_token, about


def test_a_token_is_kept_by_its_hash():
    """I12: the secret is nowhere in what is stored or told."""
    assert token_hash("cst_secret") == sha256(b"cst_secret").hexdigest() == a_token().hash
    assert "cst_secret" not in repr(created(a_token()))


@pytest.mark.parametrize(
    ("now", "good"),
    [(NOON, True), (NOON + 24 * HOUR - TICK, True), (NOON + 24 * HOUR, False), (NOON + 25 * HOUR, False)],
)
def test_a_token_is_good_until_it_expires(now, good):
    """T-AUTH-04: from the instant of its end on it lets nobody in."""
    assert a_token().is_good(now=now) is good


SCOPES = {
    "wide": ({}, True),
    "another agent's": ({"holder": "pruner"}, False),
    "that environment": ({"environments": frozenset({"prod-eu-1", "prod-us-1"})}, True),
    "another environment": ({"environments": frozenset({"prod-us-1"})}, False),
    "that namespace": ({"namespaces": frozenset({"shop", "pay"})}, True),
    "another namespace": ({"namespaces": frozenset({"pay"})}, False),
    "that namespace of another environment": (
        {"environments": frozenset({"prod-us-1"}), "namespaces": frozenset({"shop"})},
        False,
    ),
}


@pytest.mark.parametrize(("scope", "covers"), SCOPES.values(), ids=SCOPES)
def test_a_token_covers_its_agents_places_within_its_scope(scope, covers):
    """I16: all of what narrows a token has to take the place; a token that nothing narrows takes its agent's every place."""
    assert a_token(**scope).covers(Place(agent="scaler", environment="prod-eu-1", namespace="shop")) is covers


def test_a_revoked_token_is_not_good():
    """T-AUTH-04: however long it would have been good for."""
    assert not a_token(revoked_at=NOON).is_good(now=NOON)


def test_a_new_token_is_written_down():
    """By whom, for whom and until when; the agent's own stream tells it."""
    assert created(a_token()) == about(
        Token,
        nouns=(a_token(),),
        events=(
            AuditEvent(
                kind=EventKind.TOKEN_CREATED,
                stream="agent:scaler",
                actor="os:olga",
                at=NOON,
                data={"token": facts_of(a_token())},
            ),
        ),
    )


def test_a_revocation_is_written_down():
    """The token ends at that instant, at a new revision, by whoever revoked it."""
    after = replace(a_token(), revoked_at=NOON + HOUR, revision=2)

    assert revoke(a_token(), now=NOON + HOUR, by="os:otto") == about(
        Token,
        nouns=(after,),
        events=(
            AuditEvent(
                kind=EventKind.TOKEN_REVOKED,
                stream="agent:scaler",
                actor="os:otto",
                at=NOON + HOUR,
                data={"token": facts_of(after)},
            ),
        ),
    )


def test_a_token_is_revoked_once():
    """The first revocation stands, with its instant."""
    with pytest.raises(Settled) as refused:
        revoke(a_token(revoked_at=NOON), now=NOON + HOUR, by="os:olga")

    assert refused.value.sentence == "That token is revoked already."
