"""The statement: what the policy says of clusters, held against what answers.

The policy says which environments share a cluster and which do not; manifests are made from that. What tells one cluster from
any other is the uid of its namespace ``kube-system``, never the name of a context or an address. Whoever asks a cluster which
one it is has the answer confirmed here, so that nothing is planned, minted or read back where the statement is wrong, or where
another cluster answers than the one that was checked.
"""

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final

from approvals.errors import Unavailable
from approvals.ports.clearance import Obstacle
from bot.cluster.client.sources import Source

_SHOWN: Final = 8
"""How many characters of a uid people see."""


Report = Callable[[Source, Obstacle | None], None]
"""Is told what confirming a source came to: why nothing may start there, or None where nothing speaks against it."""


class Misstated(Unavailable):
    """The cluster that answers is not what the policy, or an earlier look, says; the sentence holds the cure."""


class Statement:
    """Remembers which cluster each source led to when it was first asked. Any thread may call it."""

    def __init__(self, report: Report) -> None:
        """State nothing yet."""
        self._report = report
        self._lock = Lock()
        self._stated: frozenset[Source] = frozenset()
        self._seen: dict[Source, str] = {}

    def hold_to(self, sources: Iterable[Source]) -> None:
        """Take *sources* for the policy's statement: each of them is a cluster of its own.

        What was learnt of a source that is not among them any more is forgotten: a cluster that the policy has come to reach in
        another way is looked at anew.
        """
        with self._lock:
            self._stated = frozenset(sources)
            self._seen = {source: uid for source, uid in self._seen.items() if source in self._stated}

    def confirm(self, source: Source, uid: str) -> None:
        """Return if *uid*, which *source* led to just now, is what the policy and the look before say.

        Raises:
            Misstated: Another cluster of the policy is this very one, or it was another one before.
        """
        wrong = self._wrong_with(source, uid)
        self._report(source, wrong)
        if wrong is not None:
            raise Misstated(wrong.sentence, code=wrong.code)

    def _wrong_with(self, source: Source, uid: str) -> Obstacle | None:
        with self._lock:
            before = self._seen.setdefault(source, uid)
            same = sorted(
                other.cluster
                for other, its in self._seen.items()
                if other != source and its == uid and other in self._stated
            )
        if before != uid:
            return Obstacle(
                code="another_cluster",
                sentence=f"The cluster {source.cluster} was {_short(before)} when it was first asked, and {_short(uid)} "
                "answers in its place now. Nothing starts there. Let its context lead where it led before, or restart "
                "`countersign serve` if the other cluster is meant.",
            )
        if same and source in self._stated:
            names = " and ".join(sorted([source.cluster, *same]))
            return Obstacle(
                code="one_cluster",
                sentence=f"The policy says that {names} are different clusters, and they are one ({_short(uid)}). Keep one "
                "of them under `clusters:`, let their environments share it, and apply its manifests.",
            )
        return None


def _short(uid: str) -> str:
    return f"{uid[:_SHOWN]}..."
