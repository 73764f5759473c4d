"""Logs: every line JSON, every known secret blanked, however deep it sits."""

import json
import logging

import pytest
import structlog

from bot.logs import BLANK, Blanker, set_up

SECRET = "xoxb-1-very-secret"


@pytest.fixture
def _quiet_after():
    """Give the root logger its handlers back."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_quiet_after")
def test_a_line_is_json_and_its_secrets_are_blank(capsys):
    """A secret in a message, a field, a nested value or an exception's text never reaches the log (I12)."""
    set_up([SECRET, ""], pretty=False)
    try:
        raise ValueError(f"refused {SECRET}")
    except ValueError:
        structlog.get_logger("it").exception(f"sent {SECRET}", token=SECRET, deep={"a": [SECRET, 1]})

    line = json.loads(capsys.readouterr().err.strip())

    assert SECRET not in json.dumps(line)
    assert line["event"] == f"sent {BLANK}"
    assert (line["token"], line["deep"], line["level"]) == (BLANK, {"a": [BLANK, 1]}, "error")
    assert f"refused {BLANK}" in line["exception"]


@pytest.mark.usefixtures("_quiet_after")
def test_libraries_that_log_whole_requests_are_silenced(capsys):
    """Bolt writes the body of a request whose signature is bad, at INFO: that line must not appear (T-SEC-05)."""
    set_up([], pretty=False)

    logging.getLogger("slack_bolt.App").info("Invalid request signature: body=payload%3Dsecret")

    assert capsys.readouterr().err == ""


def test_a_secret_inside_another_is_blanked_whole():
    """The longest secret goes first, so that nothing of it is left standing."""
    assert Blanker(["abc", "abcdef"]).blanked("x abcdef y abc") == f"x {BLANK} y {BLANK}"
