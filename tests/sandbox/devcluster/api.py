"""Raw JSON to the real cluster through the official client, as these tests need it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kubernetes.client import ApiClient, Configuration
from kubernetes.config import load_kube_config

from sandbox import devcluster

_TIMEOUT_S = (2.0, 20.0)  # connect, read


class Api:
    """Calls the API server as one identity; answers are status and parsed body, refusals included."""

    def __init__(self, client: ApiClient, *, impersonated: str | None = None) -> None:
        self._client = client
        self._impersonated = impersonated

    def call(
        self, method: str, path: str, body: object = None, *, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Send one request, once."""
        answer = self._client.rest_client.request(
            method,
            f"{self._client.configuration.host}{path}",
            # The client writes the token itself only on the generated methods' way.
            headers={"Content-Type": content_type, "Accept": "application/json", **self._authorization()},
            body=body,
            _request_timeout=_TIMEOUT_S,
        )
        return answer.status, json.loads(answer.read())

    def get(self, path: str) -> Any:
        """Return the object at *path*."""
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Make *body* in the collection *path* and return what the server made of it."""
        status, answer = self.call("POST", path, body)
        assert status in {200, 201}, answer
        return answer

    def merge(self, path: str, body: Mapping[str, Any]) -> Any:
        """Apply the JSON merge patch *body* and return the result."""
        status, answer = self.call("PATCH", path, body, content_type="application/merge-patch+json")
        assert status == 200, answer
        return answer

    def _authorization(self) -> dict[str, str]:
        token = self._client.configuration.get_api_key_with_prefix("BearerToken")
        who = {} if self._impersonated is None else {"Impersonate-User": self._impersonated}
        return who if token is None else {"authorization": token, **who}


@contextmanager
def administrator(cluster: devcluster.Cluster) -> Iterator[Api]:
    """Give the API as the kubeconfig's user."""
    with _client(_administrators(cluster)) as api:
        yield api


@contextmanager
def impersonating(cluster: devcluster.Cluster, username: str) -> Iterator[Api]:
    """Give the API as *username*, impersonated by the kubeconfig's user."""
    with _client(_administrators(cluster), impersonated=username) as api:
        yield api


def _administrators(cluster: devcluster.Cluster) -> Configuration:
    configuration = Configuration()
    load_kube_config(
        config_file=str(cluster.kubeconfig),
        context=cluster.context,
        client_configuration=configuration,
        persist_config=False,
    )
    return configuration


@contextmanager
def bearer(cluster: devcluster.Cluster, token: str) -> Iterator[Api]:
    """Give the API as the holder of *token*."""
    configuration = Configuration(host=cluster.server)
    configuration.ssl_ca_cert = str(cluster.ca_file)
    configuration.api_key["BearerToken"] = token
    configuration.api_key_prefix["BearerToken"] = "Bearer"
    with _client(configuration) as api:
        yield api


@contextmanager
def _client(configuration: Configuration, *, impersonated: str | None = None) -> Iterator[Api]:
    configuration.retries = False  # urllib3's own would send a request several times
    with ApiClient(configuration) as client:
        yield Api(client, impersonated=impersonated)
