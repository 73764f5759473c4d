"""Every refusal has one HTTP status and one form on the wire."""

import json
from http import HTTPStatus

import pytest

from approvals import errors
from approvals.identity.names import EscalationId
from models.payloads import problem_of, status_of
from models.payloads.strict_json import Unreadable

STATUSES = {
    errors.Refused: 400,
    Unreadable: 400,
    errors.Malformed: 422,
    errors.Unauthorised: 401,
    errors.Forbidden: 403,
    errors.Paused: 403,
    errors.OutOfScope: 403,
    errors.PolicyDenied: 403,
    errors.NotEligible: 403,
    errors.Missing: 404,
    errors.Clash: 409,
    errors.KeyReused: 409,
    errors.Settled: 409,
    errors.Late: 409,
    errors.Stale: 409,
    errors.Unplannable: 422,
    errors.TooMany: 429,
    errors.Unavailable: 503,
    errors.Garbled: 503,
}


@pytest.mark.parametrize(("kind", "status"), STATUSES.items(), ids=lambda value: getattr(value, "__name__", None))
def test_every_refusal_has_its_status(kind, status):
    """Syntax is 400 and shape 422; the rest follows HTTP's own words."""
    assert status_of(kind("No.")) == status


def test_no_refusal_is_forgotten():
    """A refusal added to the tree must be placed here, so that somebody thinks about its status."""
    named = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.Refused)}

    assert named == STATUSES.keys() - {Unreadable}


def test_a_problem_has_the_code_the_place_and_the_record():
    """RFC 9457 with our code, the culprit's pointer and the refused escalation's id."""
    refused = errors.OutOfScope("The agent's charter does not include that verb.", field="/action/verb")

    problem = problem_of(refused, escalation_id=EscalationId("esc_1"))

    assert json.loads(problem.model_dump_json()) == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "The agent's charter does not include that verb.",
        "code": "out_of_scope",
        "field": "/action/verb",
        "escalation_id": "esc_1",
    }


def test_the_door_may_know_better():
    """A body that was not even read is the door's to answer."""
    refused = errors.Malformed("The body is too large.", code="too_large")

    problem = problem_of(refused, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    assert (problem.status, problem.title, problem.code) == (413, HTTPStatus(413).phrase, "too_large")
