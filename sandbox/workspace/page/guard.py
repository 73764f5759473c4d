"""Who may use the page: whoever holds this run's key, from this page and no other.

The key stands in the page's address and is sent by its script in a header.
There is no cookie: cookies of 127.0.0.1 are shared by every port, so another
local server would be handed it. A header cannot be set by a foreign page
without a permission that is never given, and the Origin is checked besides.
"""

import hmac

from aiohttp import web

from sandbox.workspace.core import Core

KEY_HEADER = "X-Workspace-Key"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def opens_page(core: Core, request: web.Request) -> bool:
    """Tell whether the address holds the key."""
    return _is_key(core, request.query.get("key", ""))


def refusal(core: Core, request: web.Request) -> str | None:
    """Return why a call of the page's script is refused, or None."""
    origin = request.headers.get("Origin", "")
    if origin != f"http://{request.headers.get('Host', '')}":
        return "This call did not come from the page."
    if request.content_type != "application/json":
        return "The page speaks JSON."
    if not _is_key(core, request.headers.get(KEY_HEADER, "")):
        return "The key is missing or belongs to another run."
    return None


def _is_key(core: Core, given: str) -> bool:
    return hmac.compare_digest(given.encode(), core.tokens.page_key.encode())
