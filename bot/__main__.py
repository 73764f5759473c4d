"""``countersign``, and ``python -m bot``: the command line over the product."""

import gc

from bot.cli.commands import build
from bot.wiring.product import Product


def main() -> None:
    """Run the command that was typed."""
    # What is imported stays: a search for garbage after every 700 objects of it is a sixth of a command's time.
    gc.set_threshold(20_000)
    product = Product()
    build(lambda: product)()


if __name__ == "__main__":
    main()
