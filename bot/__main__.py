"""``countersign``, and ``python -m bot``: the command line over the product."""

from bot.cli.commands import build
from bot.product import Product


def main() -> None:
    """Run the command that was typed."""
    product = Product()
    build(lambda: product)()


if __name__ == "__main__":
    main()
