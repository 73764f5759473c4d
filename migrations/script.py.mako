"""${message}.

Revision: ${up_revision}, after ${down_revision | comma,n}. It runs while the release before it still serves: add before you
use, stop using before you drop, fill in small batches, take no lock for long. Import nothing of ours.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
