"""Who may stay when there are too many connections."""

from dataclasses import dataclass, field

from bot.intake.http.crowd import Crowd


@dataclass(eq=False)
class Guest:
    """A connection."""

    name: str
    gone: list[str] = field(default_factory=list)

    def put_out(self) -> None:
        """Remember it."""
        self.gone.append(self.name)


def _guests(names: str) -> tuple[list[Guest], list[str]]:
    gone: list[str] = []
    return [Guest(name, gone) for name in names.split()], gone


def test_whoever_has_waited_longest_at_the_most_crowded_address_goes_first():
    """One address with many silent connections loses its own before anybody else's is touched."""
    crowd = Crowd(most=4)
    (a, b1, b2, b3, c), gone = _guests("a b1 b2 b3 c")
    for guest in (a, b1, b2, b3):
        assert crowd.enter(guest, guest.name[0])

    assert crowd.enter(c, "c")

    assert (gone, len(crowd)) == (["b1"], 4)


def test_whoever_is_busy_stays_and_whoever_waits_again_comes_last():
    """A call that is being answered keeps its connection; once answered it waits anew, behind those who waited before."""
    crowd = Crowd(most=2)
    (first, second, third, fourth), gone = _guests("first second third fourth")
    for guest in (first, second):
        crowd.enter(guest, "a")
    crowd.is_busy(first)
    crowd.enter(third, "a")
    crowd.is_busy(third)

    assert gone == ["second"]
    assert not crowd.enter(fourth, "a")
    crowd.waits(third)
    crowd.waits(first)
    assert crowd.enter(fourth, "a")
    assert gone == ["second", "third"]


def test_one_address_holds_a_part_of_the_room_unless_it_is_a_proxy():
    """Whoever has its share makes room among its own connections; a proxy stands for many callers."""
    crowd = Crowd(most=10, most_of_one=2, is_shared=lambda source: source == "proxy")
    guests, gone = _guests("1 2 3 4 5 6")
    for guest in guests[:3]:
        assert crowd.enter(guest, "one")
    for guest in guests[3:]:
        assert crowd.enter(guest, "proxy")

    assert (gone, len(crowd)) == (["1"], 5)


def test_who_has_left_is_forgotten():
    """Nothing is kept of a connection that is gone, and news of it changes nothing."""
    crowd = Crowd(most=1)
    (first, second), gone = _guests("first second")
    crowd.enter(first, "a")
    crowd.leave(first)
    crowd.leave(first)
    crowd.waits(first)
    crowd.is_busy(first)

    assert crowd.enter(second, "a")
    assert (gone, len(crowd)) == ([], 1)
