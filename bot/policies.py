"""Policies: the file in force, and its reload. A broken file never takes the place of a good one."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Lock

from typing_extensions import override

from approvals.errors import Malformed
from approvals.policy.policy import Policy
from approvals.ports.policies import Policies
from bot.files import read_whole
from models.engine.logs import Logger
from models.policy.file import LARGEST_FILE, PolicyMistakes, load_policy

log = Logger(__name__)


class PolicyFile(Policies):
    """Implements :class:`approvals.ports.policies.Policies` over one file."""

    def __init__(self, path: Path) -> None:
        """Read and check the file.

        Raises:
            Malformed: It cannot be read, or holds mistakes; the sentence lists all of them with their lines.
        """
        self._path = path
        self._lock = Lock()
        self._policy, self._text = read_policy(path)
        self._beside: Policy | None = None
        self._mistake: str | None = None

    @override
    def current(self) -> Policy:
        """Return the policy of the file, and with it the versions that stand beside it, where not every process has it."""
        with self._lock:
            return self._policy if self._beside is None else replace(self._policy, beside=self._beside)

    def stand_beside(self, other: Policy | None) -> None:
        """Have what all allow be all that is allowed, from now on; None where every process has the file's version."""
        with self._lock:
            self._beside = other

    def text(self) -> str:
        """Return the text of the policy in force."""
        with self._lock:
            return self._text

    @property
    def mistake(self) -> str | None:
        """Why the file as it was last looked at is not in force; None where it is."""
        with self._lock:
            return self._mistake

    def reload(self, adopt: Callable[[Policy, str], object]) -> bool:
        """Take the file as it is now, if it has changed and is good; return whether a new version is in force.

        *adopt* writes the new version down first: what is not on record does not rule. What ruled until now rules beside it until
        :meth:`stand_beside` says what does. A file that cannot be read or holds mistakes is logged and changes nothing.
        """
        try:
            data = _read(self._path)
            if sha256(data).hexdigest() == self.current().version:
                self._note(None)
                return False
            policy, text = _checked(self._path, data)
            _check_installation(self.current(), policy)
        except Malformed as mistakes:
            self._note(mistakes.sentence)
            return False
        adopt(policy, text)
        with self._lock:
            self._mistake = None
            self._beside = replace(self._policy, beside=self._beside)
            self._policy, self._text = policy, text
        log.info("policy.reloaded", version=policy.version)
        return True

    def _note(self, mistake: str | None) -> None:
        """Remember what is wrong with the file; the same thing is logged once, however often it is looked at."""
        with self._lock:
            known, self._mistake = self._mistake, mistake
        if mistake is not None and mistake != known:
            log.warning("policy.reload_refused", path=str(self._path), why=mistake)


def _check_installation(before: Policy, after: Policy) -> None:
    """Refuse another installation's name while we serve: every account that is in use bears the old one."""
    if before.installation != after.installation:
        raise Malformed(
            f"The policy's `installation` is {after.installation.name} and was {before.installation.name}. Apply its manifests, "
            "give serve the new account, and restart it."
        )


def read_policy(path: Path) -> tuple[Policy, str]:
    """Return the policy in a file, and its text.

    Raises:
        Malformed: It cannot be read, or holds mistakes; the sentence lists all of them with their lines.
    """
    return _checked(path, _read(path))


def _read(path: Path) -> bytes:
    try:
        return read_whole(path, most=LARGEST_FILE)
    except OSError as error:
        raise Malformed(f"The policy file {path} cannot be read: {error.strerror}. Set COUNTERSIGN_POLICY.") from error


def _checked(path: Path, data: bytes) -> tuple[Policy, str]:
    try:
        return load_policy(data), data.decode()
    except PolicyMistakes as mistakes:
        listed = "\n".join(f"  {path}:{mistake}" for mistake in mistakes.mistakes)
        raise Malformed(f"The policy holds mistakes:\n{listed}") from mistakes
