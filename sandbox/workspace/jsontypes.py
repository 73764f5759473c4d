"""The one alias for JSON objects in the stand-in.

Payloads here imitate somebody else's wire format, so their values stay
untyped until a check in :mod:`sandbox.workspace.kit` has looked at them.
"""

from typing import Any

JsonObject = dict[str, Any]
