"""What the stand-in does not offer: it says so, and pretends nothing."""

import json
import socket

import pytest

from tests.sandbox.cluster.wire import Wire

CHECKOUT = "/apis/apps/v1/namespaces/shop/deployments/checkout"


class TestNotOffered:
    """Everything beyond scale and restart is 501 and says so; nothing is pretended."""

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/"),
            ("GET", "/apis"),
            ("GET", "/api/v1/pods"),
            ("GET", "/api/v1/namespaces/shop/pods/web"),
            ("GET", "/api/v1/namespaces/shop/pods?fieldSelector=status.phase%3DPending"),
            ("GET", "/api/v1/namespaces/shop/pods?labelSelector=app%20in%20(web)"),
            ("GET", "/api/v1/namespaces/shop/pods?watch=1"),
            ("GET", "/api/v1/namespaces/shop/events?fieldSelector=reason%3DFailed"),
            ("GET", "/api/v1/namespaces/shop/events?continue=after-1"),
            ("GET", "/api/v1/namespaces/shop/secrets/one"),
            ("GET", "/apis/apps/v1/namespaces/shop/deployments"),
            ("GET", "/apis/apps/v1/namespaces/shop/daemonsets/checkout"),
            ("GET", "/apis/apps/v1beta1/namespaces/shop/deployments/checkout"),
            ("GET", "/apis/apps/v1/namespaces/shop/deployments/"),
            ("GET", f"{CHECKOUT}/status"),
            ("GET", f"{CHECKOUT}?watch=1"),
            ("PUT", CHECKOUT),
            ("PUT", f"{CHECKOUT}/scale"),
            ("DELETE", CHECKOUT),
            ("POST", "/apis/apps/v1/namespaces/shop/deployments"),
            ("POST", "/api/v1/namespaces/shop/pods/web/eviction"),
            ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
            ("PATCH", "/api/v1/namespaces/shop"),
            ("OPTIONS", CHECKOUT),
            ("BREW", CHECKOUT),
        ],
    )
    def test_calls(self, wire, method, path):
        """A call that is not offered."""
        reply = wire.send(method, path, b"{}" if method != "GET" else None)

        assert (reply.status, reply.body["reason"], reply.body["code"]) == (501, "NotImplemented", 501)
        assert reply.body["message"].startswith("the stand-in does not offer ")

    def test_queries_without_an_end(self, stand_in, wire):
        """More than a hundred parameters are a bad request, noted as one."""
        reply = wire.send("GET", f"/version?{'&'.join(['a=b'] * 101)}")

        assert (reply.status, reply.body["reason"]) == (400, "BadRequest")
        assert [(entry.path, entry.status) for entry in stand_in.requests] == [("/version", 400)]

    @pytest.mark.parametrize("field", ["finalizers", "ownerReferences", "managedFields"])
    def test_fields(self, wire, field):
        """A change of metadata that would need a garbage collector, or would rewrite ownership."""
        reply = wire.patch(CHECKOUT, {"metadata": {field: ["a"]}})

        assert (reply.status, reply.body["message"].split("; ")[0]) == (
            501,
            f"the stand-in does not offer changing metadata.{field}",
        )

    def test_tokens_bound_to_an_object(self, shop):
        """They would have to end with it."""
        wire = Wire(shop.server, token=shop.token())
        bound = {"spec": {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "x"}}}

        reply = wire.post("/api/v1/namespaces/shop/serviceaccounts/plan-sre/token", bound)

        assert reply.status == 501

    def test_bodies_without_a_length(self, stand_in):
        """A chunked body is refused and the connection ends."""
        said = exchanged(stand_in, b"PATCH / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

        assert said.startswith(b"HTTP/1.1 501 ")

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"nonsense\r\n\r\n", b"400"),
            (b"GET / HTTP/9.9\r\n\r\n", b"505"),
            (b"GET /version HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
            (b"GET /version HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"400"),
            (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        ],
    )
    def test_what_is_no_http(self, stand_in, sent, status):
        """It gets a Status and a closed connection, and no traceback anywhere."""
        said = exchanged(stand_in, sent)

        head, _, body = said.partition(b"\r\n\r\n")
        assert head.split(b" ", 2)[1] == status
        assert json.loads(body)["kind"] == "Status"


def exchanged(stand_in, sent):
    """Return everything that comes back for raw bytes."""
    host, port = stand_in.server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        said = b""
        try:
            while chunk := connection.recv(65536):
                said += chunk
        except ConnectionResetError:
            pass  # it need not read to the end what it refuses
        return said
