"""``countersign``, and ``python -m bot``: the command line over the application."""

from bot.app import Application
from bot.cli.commands import build


def main() -> None:
    """Run the command that was typed."""
    application = Application()
    build(lambda: application)()


if __name__ == "__main__":
    main()
