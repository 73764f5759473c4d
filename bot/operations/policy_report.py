"""What ``countersign policy check`` says of a file."""

from collections.abc import Iterable
from pathlib import Path

from approvals.errors import Malformed
from approvals.verbs.workload import counted
from bot.files import read_whole
from models.policy.file import LARGEST_FILE, PolicyMistakes, check_policy, describe


def policy_report(file: Path) -> Iterable[str]:
    """Return what the policy in *file* says, in lines, and what is worth a remark.

    Raises:
        Malformed: It cannot be read, or holds mistakes; the sentence lists all of them with their lines.
    """
    try:
        checked = check_policy(read_whole(file, most=LARGEST_FILE))
    except OSError as error:
        raise Malformed(
            f"{file} cannot be read: {error.strerror}. Name another file, or set COUNTERSIGN_POLICY."
        ) from error
    except PolicyMistakes as mistakes:
        listed = "\n".join(f"{file}:{mistake}" for mistake in mistakes.mistakes)
        raise Malformed(f"The policy holds {counted(len(mistakes.mistakes), 'mistake')}:\n{listed}") from mistakes
    return (*describe(checked.policy).splitlines(), *(f"{file}:{remark}" for remark in checked.remarks))
