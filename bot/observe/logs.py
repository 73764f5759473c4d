"""Logs: one JSON line an event, to standard error, with every known secret blanked. What people read is made elsewhere."""

import logging
import sys
from collections.abc import Iterable
from typing import Any, Final

import structlog

from approvals.masking import masked

BLANK: Final = "[secret]"


def set_up(secrets: Iterable[str], *, pretty: bool, level: int = logging.INFO) -> None:
    """Send everything to standard error: JSON lines, or, at a person's terminal, readable ones.

    Args:
        secrets: Values that must never appear; they are blanked wherever they turn up, in whatever is logged.
        pretty: Whether a person is looking.
        level: The least that is worth a line.
    """
    blank = Blanker(secrets)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        blank,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if pretty else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in _CHATTY:
        # These write whole requests at INFO or DEBUG, bodies and headers included.
        logging.getLogger(chatty).setLevel(logging.ERROR)


_CHATTY: Final = ("slack_bolt", "slack_sdk", "urllib3", "aiohttp", "kubernetes", "apscheduler", "uvicorn.access")


class Blanker:
    """Blanks secrets in everything that a log line holds, however deep and of whatever type."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Keep the secrets, longest first, so that one inside another is blanked whole."""
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def __call__(self, logger: Any, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Return the log line, blanked."""
        del logger, name
        # What begins with an underscore is the logging library's own and is not written.
        return {key: value if key.startswith("_") else self.blanked(value) for key, value in event.items()}

    def blanked(self, value: Any) -> Any:
        """Return *value* with every known secret in it blanked, and whatever else looks like one.

        What has no form of its own in a log is written as its ``repr``, which may hold one: an error, a path, bytes.
        """
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                for secret in self._secrets:
                    value = value.replace(secret, BLANK)
                return masked(value)
            case dict():
                return {self.blanked(key): self.blanked(inner) for key, inner in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.blanked(inner) for inner in value]
            case _:
                return self.blanked(repr(value))
