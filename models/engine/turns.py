"""Turns: in which order several queues share one pace. Pure but for its memory of who was served; the cards ask here.

Without it the order would be a tie broken by an id, and an agent with a thousand questions would keep all others waiting.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Turns(Generic[P, K]):
    """Whose turn it is. A queue that was never served goes before one that was, and then who was served longest ago.

    Queues that share a pace stand at one place; turns count while anything waits there.
    """

    def __init__(self) -> None:
        """Begin as if nobody had been served."""
        self._served: dict[tuple[P, K], int] = {}
        self._count = 0

    def took(self, place: P, key: K) -> None:
        """Note that the queue *key* at *place* has had its turn, whatever came of it."""
        self._count += 1
        self._served[place, key] = self._count

    def forget_all_but(self, places: Iterable[P]) -> None:
        """Forget places where nothing waits: a turn of an hour ago is no reason to come second today.

        A queue that is empty while others at its place are not stays known: else one question at a time would always go first.
        """
        kept = set(places)
        self._served = {key: turn for key, turn in self._served.items() if key[0] in kept}

    def in_order(self, queues: Mapping[tuple[P, K], Sequence[T]]) -> tuple[T, ...]:
        """Return everything in *queues*, one of each in turn; each keeps its own order.

        Of queues that were never served, the first named goes first: the caller names them by what is most pressing.
        """
        order = sorted(queues, key=lambda key: self._served.get(key, 0))
        rounds = zip_longest(*(((one,) for one in queues[key]) for key in order), fillvalue=())
        return tuple(chain.from_iterable(chain.from_iterable(rounds)))
