"""Schema: which fields the objects have and of which type, and what the server fills in where they are missing.

As of Kubernetes 1.36. Known down to the fields of a container; what lies deeper is taken as it is. Callers are
:mod:`sandbox.cluster.writes`, which decodes patched objects strictly, and the seed, which completes terse manifests.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from sandbox.cluster.jsontypes import JsonObject

Shape = str | dict[str, Any] | list[Any]
"""The name of a scalar type, ``any``, an object's fields (``*`` for a map's values), or a list with its items' shape."""


def _fields(**by_type: str) -> dict[str, Any]:
    return {name: shape for shape, names in by_type.items() for name in names.split()}


_STRINGS: Final = {"*": "string"}

_METADATA: Final = {
    **_fields(
        string="name namespace generateName uid resourceVersion selfLink creationTimestamp deletionTimestamp",
        int64="generation deletionGracePeriodSeconds",
        any="managedFields ownerReferences",
    ),
    "labels": _STRINGS,
    "annotations": _STRINGS,
    "finalizers": ["string"],
}

_CONTAINER: Final = {
    **_fields(
        string="image imagePullPolicy name restartPolicy terminationMessagePath terminationMessagePolicy workingDir",
        bool="stdin stdinOnce tty",
        any="env envFrom lifecycle livenessProbe ports readinessProbe resizePolicy resources restartPolicyRules "
        "securityContext startupProbe volumeDevices volumeMounts",
    ),
    "args": ["string"],
    "command": ["string"],
}

_POD: Final = {
    **_fields(
        string="dnsPolicy hostname hostnameOverride nodeName preemptionPolicy priorityClassName restartPolicy "
        "runtimeClassName schedulerName serviceAccount serviceAccountName subdomain",
        bool="automountServiceAccountToken enableServiceLinks hostIPC hostNetwork hostPID hostUsers setHostnameAsFQDN "
        "shareProcessNamespace",
        int32="priority",
        int64="activeDeadlineSeconds terminationGracePeriodSeconds",
        any="affinity dnsConfig ephemeralContainers hostAliases imagePullSecrets os overhead readinessGates "
        "resourceClaims resources schedulingGates schedulingGroup securityContext tolerations "
        "topologySpreadConstraints volumes",
    ),
    "nodeSelector": _STRINGS,
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
}

_SELECTOR: Final = {"matchLabels": _STRINGS, "matchExpressions": "any"}
_TEMPLATE: Final = {"metadata": _METADATA, "spec": _POD}


def _kind(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "string", "kind": "string", "metadata": _METADATA, "spec": dict(spec), "status": "any"}


SHAPES: Final[Mapping[str, Shape]] = {
    "Deployment": _kind(
        {
            **_fields(int32="minReadySeconds progressDeadlineSeconds replicas revisionHistoryLimit", bool="paused"),
            "selector": _SELECTOR,
            "strategy": {"type": "string", "rollingUpdate": {"maxSurge": "any", "maxUnavailable": "any"}},
            "template": _TEMPLATE,
        }
    ),
    "StatefulSet": _kind(
        {
            **_fields(
                int32="minReadySeconds replicas revisionHistoryLimit",
                string="podManagementPolicy serviceName",
                any="volumeClaimTemplates",
            ),
            "ordinals": {"start": "int32"},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "string", "whenScaled": "string"},
            "selector": _SELECTOR,
            "template": _TEMPLATE,
            "updateStrategy": {"type": "string", "rollingUpdate": {"maxUnavailable": "any", "partition": "int32"}},
        }
    ),
    "Scale": _kind({"replicas": "int32"}),
    "TokenRequest": _kind(
        {
            "audiences": ["string"],
            "boundObjectRef": _fields(string="apiVersion kind name uid"),
            "expirationSeconds": "int64",
        }
    ),
    "SelfSubjectReview": {"apiVersion": "string", "kind": "string", "metadata": _METADATA, "status": "any"},
    "SelfSubjectRulesReview": _kind({"namespace": "string"}),
}

_INTEGERS: Final = {"int32": 1 << 31, "int64": 1 << 63}


@dataclass(frozen=True, slots=True)
class Fault:
    """One place that does not fit: an unknown field, or (*is_unknown* false) a value of the wrong type."""

    path: str
    is_unknown: bool
    found: str = ""
    wanted: str = ""

    @property
    def message(self) -> str:
        """What the server says of it."""
        if self.is_unknown:
            return f'unknown field "{self.path}"'
        return f"json: cannot unmarshal {self.found} into Go struct field {self.path} of type {self.wanted}"


def faults(kind: str, value: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Return everything in *value* that does not fit *kind*, in the order of the fields; nulls fit anywhere."""
    return tuple(_faults(SHAPES[kind], value, ""))


def _faults(shape: Shape, value: Any, path: str) -> Iterator[Fault]:
    if value is None or shape == "any":
        return
    if isinstance(shape, str):
        if not _is_a(shape, value):
            yield Fault(path, is_unknown=False, found=_name_of(value), wanted=shape)
    elif isinstance(shape, list):
        yield from _item_faults(shape[0], value, path)
    elif not isinstance(value, dict):
        yield Fault(path, is_unknown=False, found=_name_of(value), wanted="object")
    else:
        yield from _field_faults(shape, value, path)


def _item_faults(shape: Shape, value: Any, path: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(path, is_unknown=False, found=_name_of(value), wanted="array")
        return
    for index, item in enumerate(value):
        yield from _faults(shape, item, f"{path}[{index}]")


def _field_faults(shape: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for key, item in value.items():
        inner = f"{path}.{key}" if path else key
        if "*" in shape:
            yield from _faults(shape["*"], item, inner)
        elif key in shape:
            yield from _faults(shape[key], item, inner)
        else:
            yield Fault(inner, is_unknown=True)


def _is_a(shape: str, value: Any) -> bool:
    if shape in _INTEGERS:
        return isinstance(value, int) and not isinstance(value, bool) and -_INTEGERS[shape] <= value < _INTEGERS[shape]
    return isinstance(value, bool if shape == "bool" else str)


def _name_of(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def without_unknown(kind: str, value: JsonObject) -> JsonObject:
    """Return *value* without its unknown fields, as the server drops them where it is not asked to be strict."""
    return dict(_known(SHAPES[kind], value))


def _known(shape: Shape, value: Any) -> Any:
    if isinstance(shape, list) and isinstance(value, list):
        return [_known(shape[0], item) for item in value]
    if isinstance(shape, dict) and "*" not in shape and isinstance(value, dict):
        return {key: _known(shape[key], item) for key, item in value.items() if key in shape}
    return value


_DEFAULTS: Final[Mapping[str, JsonObject]] = {
    "Deployment": {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
    },
    "StatefulSet": {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    },
}

_POD_DEFAULTS: Final[JsonObject] = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}

_CONTAINER_DEFAULTS: Final[JsonObject] = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}


def completed(kind: str, workload: Mapping[str, Any]) -> JsonObject:
    """Return *workload* with the server's defaults where it says nothing; *workload* is a Deployment or a StatefulSet."""
    result = deepcopy(dict(workload))
    spec = result["spec"] = {**deepcopy(_DEFAULTS[kind]), **(result.get("spec") or {})}
    template = spec["template"] = dict(spec.get("template") or {})
    pod = template["spec"] = {**deepcopy(_POD_DEFAULTS), **(template.get("spec") or {})}
    pod["containers"] = [{**deepcopy(_CONTAINER_DEFAULTS), **container} for container in pod.get("containers") or ()]
    for container in pod["containers"]:
        if "ports" in container:
            container["ports"] = [{"protocol": "TCP", **port} for port in container["ports"]]
    return result
