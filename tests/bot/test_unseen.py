"""Questions that nobody can see: counted for the operator, and each named in the log once."""

from datetime import timedelta

from structlog.testing import capture_logs

from bot.observe.metrics import Metrics
from bot.outbox.unseen import WatchUnseen
from models.outbox.cards import Cards
from tests.builders import CHANNEL, MINUTE, NOON
from tests.fixtures.stores import a_store
from tests.models.records import ask, with_grounds


def test_a_question_that_stands_nowhere_is_said_once_and_counted_as_long_as_it_lasts(sqlite_store, host_clock):
    """From fifteen seconds on, until its card stands; the figure is what an operator's alarm goes by."""
    host_clock.at = NOON
    store = a_store(sqlite_store.database, host_clock)
    with_grounds(store)
    cards, metrics = Cards(store), Metrics()
    watch = WatchUnseen(cards=cards, count=metrics.unseen)
    request = ask(store, deadline=NOON + MINUTE)
    counted = []
    with capture_logs() as logged:
        for seconds in (0, 15, 5):
            host_clock.at += timedelta(seconds=seconds)
            watch()
            counted.append(metrics.registry.get_sample_value("countersign_questions_unseen"))
        cards.posted(cards.behind(limit=1)[0], "1.1")
        watch()
    counted.append(metrics.registry.get_sample_value("countersign_questions_unseen"))

    assert counted == [0, 1, 1, 0]
    assert logged == [
        {
            "event": "question.unseen",
            "log_level": "error",
            "subject": request.id,
            "channel": CHANNEL,
            "deadline": (NOON + MINUTE).isoformat(),
            "failed_tries": 0,
        }
    ]
