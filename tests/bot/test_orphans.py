"""What was sent while the lease went elsewhere is handed to whoever leads."""

import pytest
from structlog.testing import capture_logs

from approvals.errors import Missing, Unavailable
from approvals.identity.names import Channel
from bot.outbox.orphans import Orphans


class Book:
    """Writes down what it is told, or refuses."""

    def __init__(self, wrong=None):
        self.told = []
        self.wrong = wrong

    def adopt(self, subject, channel, ts):
        """Take a copy in."""
        self._tell("adopt", subject, channel, ts)

    def draw_again(self, subject, channel):
        """Have a card drawn again."""
        self._tell("again", subject, channel)

    def _tell(self, *what):
        if self.wrong is not None:
            raise self.wrong
        self.told.append(what)


def test_a_post_is_taken_in_and_an_update_is_made_again():
    """A copy that nobody knows would stay as it is; an update that came late may show what is over."""
    book = Book()

    Orphans(book).hand_over("esc_1", Channel("T:C"), "1.0")
    Orphans(book).hand_over("esc_1", Channel("T:C"), None)

    assert book.told == [("adopt", "esc_1", "T:C", "1.0"), ("again", "esc_1", "T:C")]


@pytest.mark.parametrize("wrong", [Missing("no such card"), Unavailable("away")])
def test_what_cannot_be_handed_over_is_logged(wrong):
    """It hides no other error: the copy is adopted at its first click."""
    with capture_logs() as logs:
        Orphans(Book(wrong)).hand_over("esc_1", Channel("T:C"), "1.0")

    assert [line["event"] for line in logs] == ["orphan.left"]
