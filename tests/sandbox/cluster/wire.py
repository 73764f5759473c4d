"""Raw HTTP, as these tests speak it: one request, one connection, nothing retried, nothing interpreted."""

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MERGE = "application/merge-patch+json"
JSON = "application/json"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def refusal(self):
        """A Status without what differs from run to run: code, reason, message, details."""
        assert self.body["kind"] == "Status", self.body
        return {
            key: value for key, value in self.body.items() if key not in {"kind", "apiVersion", "metadata", "status"}
        }


@dataclass(frozen=True)
class Wire:
    """An API server's address, and whose token goes with each request."""

    server: str
    ca: ssl.SSLContext | None = None
    token: str | None = None

    def speaking_as(self, token):
        """Return the same address with another token."""
        return Wire(self.server, self.ca, token)

    def send(self, method, path, body=None, *, content_type=JSON, headers=None):
        """Send one request and return what came back; *body* is bytes, or something to be written as JSON."""
        parts = urlsplit(self.server)
        assert parts.hostname is not None
        if self.ca is None:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        else:
            connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=30, context=self.ca)
        given = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            given |= {"Content-Type": content_type} if content_type else {}
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, body=body, headers={**given, **(headers or {})})
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), json.loads(answer.read()))
        finally:
            connection.close()

    def get(self, path):
        """Return the object at *path*."""
        reply = self.send("GET", path)
        assert reply.status == 200, reply.body
        return reply.body

    def post(self, path, body):
        """Send *body* as JSON."""
        return self.send("POST", path, body)

    def patch(self, path, body, **query):
        """Send *body* as a merge patch, with the options in *query*."""
        return self.send("PATCH", f"{path}{query_of(query)}", body, content_type=MERGE)


def query_of(options):
    """Return a query of *options*."""
    return "".join(f"{'&' if index else '?'}{name}={value}" for index, (name, value) in enumerate(options.items()))


def claims_of(token):
    """Return what a token says, unverified."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
