"""Logs: every line JSON, every known secret blanked, however deep it sits."""

import json
import logging
from pathlib import Path

import pytest
import structlog

from approvals.masking import MASK
from bot.observe.logs import BLANK, Blanker, set_up
from tests.fixtures.logs import logs_are_plain

SECRET = "xoxb-1-very-secret"


@pytest.fixture
def _quiet_after():
    """Give the root logger its handlers back."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    logs_are_plain()


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


@pytest.mark.usefixtures("_quiet_after")
@pytest.mark.parametrize(
    "value",
    [ValueError(f"refused {SECRET}"), SECRET.encode(), {SECRET: 1}, {f"x{SECRET}"}, Path(f"/run/{SECRET}")],
    ids=["error", "bytes", "key", "set", "path"],
)
def test_a_secret_in_a_value_of_any_type_is_blank(capsys, value):
    """What is no text is written as its representation, which is blanked like text (I12)."""
    set_up([SECRET], pretty=False)

    structlog.get_logger("it").warning("it.failed", value=value)

    line = capsys.readouterr().err
    assert SECRET not in line
    assert BLANK in line


@pytest.mark.usefixtures("_quiet_after")
@pytest.mark.parametrize("logger", [structlog.get_logger("ours"), logging.getLogger("theirs")], ids=["ours", "theirs"])
def test_what_looks_like_a_secret_is_masked_though_nobody_named_it(capsys, logger):
    """A minted token is in no setting; where an error carries one, in our lines or a library's, it is masked (I12)."""
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJleGVjdXRvciJ9.c2lnbmF0dXJl"
    set_up([], pretty=False)

    logger.error("refused: Authorization: Bearer %s", token)

    assert json.loads(capsys.readouterr().err)["event"] == f"refused: Authorization: {MASK}"
