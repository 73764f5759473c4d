"""The relay under its lease: what it was sending while another process began to lead."""

import pytest

from models.store.fence import LeaseLost
from tests.bot.test_relay import Desk, decide
from tests.models.leasing import lapse, several, taken_by
from tests.models.records import ask, with_grounds


@pytest.mark.postgres
@pytest.mark.parametrize("what", ["post", "update"])
def test_what_was_sent_while_the_lease_went_elsewhere_is_handed_over(postgres_store, postgres_database, what):
    """A relay that stood still in its call writes nothing of what came of it under its lease; the next leader puts it right.

    The copy is taken in, or the card is drawn once more: as it is then, by whoever leads.
    """
    with_grounds(postgres_store)
    with several(postgres_database.restricted_url, "a", "b") as (one, other):
        desk = Desk(postgres_store, lease=taken_by(one))
        request = ask(postgres_store)
        if what == "update":
            desk.relay.step()
            decide(postgres_store, request)

        def goes_elsewhere() -> None:
            lapse(postgres_database)
            taken_by(other)

        desk.poster.meanwhile = goes_elsewhere

        with pytest.raises(LeaseLost):
            desk.relay.step()

    (task,) = desk.cards.behind(limit=5)
    assert (task.subject, len(task.refs), task.interrupted) == (request.id, 1, False)
    assert task.wanted > task.shown
    with pytest.raises(LeaseLost):
        desk.relay.step()
