"""The policy file: from its bytes to the policy in force, or every mistake in it at once.

The way in for ``serve``, its reload and ``countersign policy check``; the work is done in :mod:`models.policy`. A file with
one mistake rules nothing: half a policy is the most dangerous kind.
"""

from dataclasses import dataclass
from hashlib import sha256

from approvals.policy.policy import Policy
from models.policy.counting import check_counts
from models.policy.describing import describe
from models.policy.identities import Identities
from models.policy.mistakes import PolicyMistake, PolicyMistakes, Remark, Weight
from models.policy.reading import LARGEST_FILE, Document, read_document
from models.policy.references import check_references
from models.policy.remarks import remarks_on
from models.policy.shaping import Sound, shaped
from models.policy.translation import policy_of

__all__ = [
    "LARGEST_FILE",
    "CheckedPolicy",
    "PolicyMistake",
    "PolicyMistakes",
    "Remark",
    "Weight",
    "check_policy",
    "describe",
    "load_policy",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPolicy:
    """A policy free of mistakes, and what is to be said about it all the same."""

    policy: Policy
    remarks: tuple[Remark, ...]


def load_policy(data: bytes) -> Policy:
    """Return the policy that the file's bytes hold; its version is their SHA-256.

    Raises:
        PolicyMistakes: It holds mistakes: all of them, each with line, column, path and what to do.
    """
    return _load(data)[0]


def check_policy(data: bytes) -> CheckedPolicy:
    """Return the policy that the file's bytes hold, with remarks on it; they take as long again.

    Raises:
        PolicyMistakes: As :func:`load_policy`.
    """
    policy, document, sound, identities = _load(data)
    return CheckedPolicy(policy=policy, remarks=remarks_on(document, sound, identities, policy))


def _load(data: bytes) -> tuple[Policy, Document, Sound, Identities]:
    document = read_document(data)
    sound = shaped(document)
    identities = Identities(accounts={name: tuple(accounts) for name, accounts in sound.shape.people.items()})
    check_references(document, sound)
    check_counts(document, sound, identities)
    installation, pausing = sound.shape.installation, sound.shape.pausing
    if document.mistakes or installation is None or pausing is None:
        raise PolicyMistakes(document.mistakes)
    policy = policy_of(sound.shape, installation, pausing, identities, version=sha256(data).hexdigest())
    return policy, document, sound, identities
