"""The product: the application, the service that runs over it, and the demo. The command line and the demo begin here."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from approvals.errors import Refused
from bot.app import Application
from bot.cli.desk import DemoWishes

if TYPE_CHECKING:
    from bot.serving import Serving


class Product(Application):
    """Everything that can be run; implements :class:`bot.cli.desk.CommandParts`."""

    def serve(self) -> int:
        """Run the service until it is told to stop, and return the exit code."""
        with self.serving() as serving:
            if serving is None:
                return 1
            import asyncio  # noqa: PLC0415 - as below

            asyncio.run(serving.run(self.ready))
        return 0

    @contextmanager
    def serving(self) -> "Iterator[Serving | None]":
        """Give the service, checked and put together; None where something grave was found, which has been said."""
        import logging  # noqa: PLC0415 - the commands need neither web server, scheduler nor log
        import sys  # noqa: PLC0415

        from bot.observe import logs  # noqa: PLC0415
        from bot.serving import Serving  # noqa: PLC0415

        _ = self.store  # Before the lock, whose file stands beside the database: without one, nothing is left behind.
        level = logging.WARNING if self.quiet else logging.INFO
        logs.set_up(self.settings.secrets, pretty=sys.stderr.isatty(), level=level)
        with Serving.over(self) as serving:
            yield serving

    def demo(self, wishes: DemoWishes) -> int:
        """Run the demo until it is told to stop, and return the exit code.

        Raises:
            Refused: The demo is not here: it comes with the source tree, not with the installed product.
        """
        try:
            # By name, since the product does without the sandbox: what is installed in production holds no stand-in.
            show = import_module("sandbox.demo.show")
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("sandbox"):
                raise
            raise Refused(
                "The demo is not part of the installed product. Get the source of this version"
                " (the project's page names the repository), and run there: make demo",
                code="no_demo",
            ) from error
        code: int = show.show(wishes, make=Product)
        return code
