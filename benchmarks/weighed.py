"""``countersign serve``, ready to say what it has loaded: ``python -m benchmarks.weighed FILE``.

It is the command itself, with one thing more: at SIGUSR1 the names in ``sys.modules`` are written to FILE. Nobody outside a
process can see them.
"""

import signal
import sys
from pathlib import Path
from types import FrameType

from bot.__main__ import main


def _tell(file: Path) -> None:
    def tell(number: int, frame: FrameType | None) -> None:
        del number, frame
        made = file.with_suffix(".new")
        made.write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
        made.rename(file)  # Whole or not there.

    signal.signal(signal.SIGUSR1, tell)


if __name__ == "__main__":
    _tell(Path(sys.argv.pop()))
    main()
