"""A call's head: what is taken as a credential when the bytes come from somewhere else than a strict HTTP reader."""

import pytest

from bot.intake.http.calls import bearer_of

CREDENTIALS = {
    b"Bearer cst_secret": "cst_secret",
    b"bearer cst_secret": "cst_secret",
    b"Bearer cst_secret\n": None,
    b"Bearer cst_secret\r\n": None,
    b"Bearer cst_secret ": None,
    b" Bearer cst_secret": None,
    b"Bearer\tcst_secret": None,
    b"Bearer cst_secret\x00": None,
    b"Bearer cst_sec ret": None,
    b"Bearer cst_secret,": None,
    b"Bearer ": None,
    b"Bearer " + b"a" * 257: None,
    b"": None,
}


@pytest.mark.parametrize(("value", "secret"), CREDENTIALS.items())
def test_t_auth_01_a_credential_is_exactly_scheme_space_token(value, secret):
    """T-AUTH-01: nothing before, between or after; above all no line end, which some readers drop and others keep."""
    assert bearer_of({"headers": [(b"authorization", value)]}) == secret
