"""The registry of verbs: an explicit tuple, held against this folder by a test, so that none is forgotten or smuggled in."""

from typing import Final

from approvals.errors import Malformed
from approvals.verbs.hpa_bounds import HPA_BOUNDS
from approvals.verbs.restart import RESTART
from approvals.verbs.scale import SCALE
from approvals.verbs.verb import Verb

REGISTRY: Final[tuple[Verb, ...]] = (HPA_BOUNDS, RESTART, SCALE)


def verb_called(name: str) -> Verb:
    """Return the verb called *name*.

    Raises:
        Malformed: There is none; unknown means no.
    """
    for verb in REGISTRY:
        if verb.name == name:
            return verb
    raise Malformed(
        f"There is no such verb; the verbs are {', '.join(verb.name for verb in REGISTRY)}.",
        code="unknown_verb",
        field="/action/verb",
    )
