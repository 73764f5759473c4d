"""Files that settings name are read whole, and no further than they can go."""

import re
from pathlib import Path

import pytest

from approvals.errors import Malformed
from bot.files import read_whole
from bot.policies import read_policy
from bot.settings import read
from bot.wiring.product import Product


def test_a_file_is_read_up_to_its_bound(tmp_path):
    """As many bytes as it may have are its content; one more is an error, not a shorter file."""
    file = tmp_path / "file"
    file.write_bytes(b"abcd")

    assert read_whole(file, most=4) == b"abcd"
    with pytest.raises(OSError, match="it has more than 3 bytes"):
        read_whole(file, most=3)


@pytest.mark.parametrize(
    ("path", "why"), [("/dev/zero", "it has more than 262,144 bytes"), ("a\0b", "no path holds a NUL")]
)
def test_a_policy_that_is_no_file_is_refused_in_a_sentence(path, why):
    """A device without an end takes no memory, and what is no path leaves no traceback, by either way in (I13)."""
    with pytest.raises(Malformed, match=re.escape(why)):
        read_policy(Path(path))
    with pytest.raises(Malformed, match=re.escape(why)):
        Product(given_settings=read({})).check_policy(Path(path))
