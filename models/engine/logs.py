"""Loggers that load their library with the first line they write: a command that looks and leaves has nothing to log."""

from typing import Any


class Logger:
    """A logger of structlog's, made when it is first used."""

    def __init__(self, name: str) -> None:
        """Remember whose it is."""
        self._name = name

    def __getattr__(self, level: str) -> Any:
        """Return the real logger's method of that name."""
        import structlog  # noqa: PLC0415 - a tenth of a second, which most commands need not spend

        return getattr(structlog.get_logger(self._name), level)
