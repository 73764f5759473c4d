"""``python -m tests.acceptance.more_verbs ...``: the whole product with a verb more, which only tests know.

The verb joins the registry before anything is derived from it: shapes, accounts, roles, admission policies, documentation.
After ``dying MILESTONE`` it serves until it comes to that milestone, as :mod:`tests.acceptance.dying` does.
"""

import sys

from approvals.verbs import registry
from tests.verbs.rollout_style import ROLLOUT_STYLE

vars(registry)["REGISTRY"] = (*registry.REGISTRY, ROLLOUT_STYLE)

if __name__ == "__main__":
    from approvals.ports.journey import Milestone
    from bot import __main__ as product
    from tests.acceptance import dying

    if sys.argv[1:2] == ["dying"]:
        sys.exit(dying.main(Milestone[sys.argv[2]]))
    product.main()
