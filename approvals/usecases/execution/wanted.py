"""Whether a change is still wanted when its bytes are about to leave."""

from datetime import timedelta
from typing import Final

from approvals.ports.reading import Reading
from approvals.workflow.execution import Attempt, Execution, Phase
from approvals.workflow.pause import survives

LOST_AGAIN: Final = timedelta(seconds=10)
"""How often an unknown outcome is read back of which nothing is sent again."""


def still_wanted(reading: Reading, execution: Execution, attempt: Attempt) -> bool:
    """Tell whether it may go out now: read again immediately before every send.

    No pause may have covered it since its start record (I4). The first send follows its start within seconds; a resend may
    come hours later, after a long outage, and needs an approval that is still valid then (I1).
    """
    if execution.state is not Phase.ARMED and reading.now >= execution.valid_until:
        return False
    return survives(reading.pauses(ended_after=attempt.epoch), execution.place, epoch=attempt.epoch)
