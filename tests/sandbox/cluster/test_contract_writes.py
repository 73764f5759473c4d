"""The contract, writing: what a merge patch of a workload or its scale does, and what it leaves as it was."""

from typing import Any

import pytest

from tests.sandbox.cluster.places import REQUEST_ID, RESTARTED_AT
from tests.sandbox.cluster.wire import MERGE

BOTH = pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])

RESTART = {
    "metadata": {"annotations": {REQUEST_ID: "esc_1"}},
    "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: "2026-01-01T00:00:00Z"}}}},
}


def replicas(number):
    """Return the patch that asks for so many pods."""
    return {"spec": {"replicas": number}}


def name_of(path):
    """Return the name of the workload at *path*."""
    return path.rsplit("/", 1)[-1]


def writers(workload):
    """Return the entries of all but the controllers."""
    return [entry for entry in workload["metadata"]["managedFields"] if entry["manager"] != "kube-controller-manager"]


def entry_of(workload, manager):
    """Return a manager's entry without its time, and whether it has one."""
    [entry] = [entry for entry in writers(workload) if entry["manager"] == manager]
    return {key: value for key, value in entry.items() if key != "time"}, "time" in entry


SCALED = {
    "operation": "Update",
    "apiVersion": "apps/v1",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:spec": {"f:replicas": {}}},
    "subresource": "scale",
}


class TestDryRun:
    """A dry run answers as the write would, and changes nothing."""

    @BOTH
    def test_of_a_scale(self, place, kind):
        """The answer has the number asked for; object, resource version and owners are as before."""
        path = place.workload(kind)
        before = place.wire.get(path)

        reply = place.wire.patch(f"{path}/scale", replicas(5), dryRun="All", fieldManager="countersign:a")

        assert (reply.status, reply.body["spec"], reply.body["status"]["replicas"]) == (200, {"replicas": 5}, 3)
        assert reply.body["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        assert place.wire.get(path) == before

    @BOTH
    def test_of_a_restart(self, place, kind):
        """The answer has a new generation and the writer's entry at the old resource version; the object is as before."""
        path = place.workload(kind)
        before = place.wire.get(path)

        reply = place.wire.patch(path, RESTART, dryRun="All", fieldManager="countersign:a", fieldValidation="Strict")

        metadata = reply.body["metadata"]
        assert metadata["generation"] == before["metadata"]["generation"] + 1
        assert metadata["resourceVersion"] == before["metadata"]["resourceVersion"]
        assert metadata["annotations"] == {**(before["metadata"].get("annotations") or {}), REQUEST_ID: "esc_1"}
        assert entry_of(reply.body, "countersign:a")[0]["manager"] == "countersign:a"
        assert place.wire.get(path) == before

    def test_that_would_change_nothing(self, place):
        """A dry run of what is there already comes back as it is, resource version included."""
        path = place.workload()
        before = place.wire.get(path)

        reply = place.wire.patch(path, replicas(3), dryRun="All", fieldManager="countersign:a")

        assert reply.body == before


class TestScale:
    """Scaling through the subresource."""

    @BOTH
    def test_leaves_its_mark(self, place, kind):
        """A scale raises the generation and leaves an entry for its manager, with the subresource and without a time."""
        path = place.workload(kind)
        before = place.wire.get(path)

        reply = place.wire.patch(
            f"{path}/scale",
            {"metadata": {"uid": before["metadata"]["uid"], "resourceVersion": before["metadata"]["resourceVersion"]}}
            | replicas(4),
            fieldManager="countersign:a",
            fieldValidation="Strict",
        )

        after = place.wire.get(path)
        assert (reply.status, reply.body["spec"]) == (200, {"replicas": 4})
        assert reply.body["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
        assert (after["spec"]["replicas"], after["metadata"]["generation"]) == (4, before["metadata"]["generation"] + 1)
        assert entry_of(after, "countersign:a") == ({"manager": "countersign:a", **SCALED}, False)
        [creator] = [entry for entry in writers(after) if "subresource" not in entry]
        assert "f:replicas" not in creator["fieldsV1"]["f:spec"]

    def test_to_the_same_number_leaves_none(self, place):
        """A scale that changes nothing keeps the resource version and leaves no trace of whoever sent it."""
        path = place.workload()
        place.wire.patch(f"{path}/scale", replicas(4), fieldManager="countersign:a")
        before = place.wait_settled(path)

        again = place.wire.patch(f"{path}/scale", replicas(4), fieldManager="countersign:a")
        other = place.wire.patch(f"{path}/scale", replicas(4), fieldManager="countersign:b")

        versions = {reply.body["metadata"]["resourceVersion"] for reply in (again, other)}
        assert versions == {before["metadata"]["resourceVersion"]}
        assert place.wire.get(path) == before

    def test_by_another_takes_the_mark_away(self, place):
        """Once another manager sets the number, the entry of the one before is gone."""
        path = place.workload()
        place.wire.patch(f"{path}/scale", replicas(4), fieldManager="countersign:a")

        place.wire.patch(f"{path}/scale", replicas(5), fieldManager="countersign:b")

        scalers = [entry["manager"] for entry in writers(place.wire.get(path)) if "subresource" in entry]
        assert scalers == ["countersign:b"]

    def test_to_zero_leaves_the_number_out(self, place):
        """A Scale says nothing where the number is 0, and so do most counters of the status."""
        path = place.workload()

        reply = place.wire.patch(f"{path}/scale", replicas(0), fieldManager="countersign:a")

        assert (reply.status, reply.body["spec"]) == (200, {})
        settled = place.wait_settled(path)
        scale = place.wire.get(f"{path}/scale")
        assert (scale["spec"], scale["status"]["replicas"]) == ({}, 0)
        assert settled["spec"]["replicas"] == 0
        counters = {key: value for key, value in settled["status"].items() if key != "conditions"}
        assert counters == {"observedGeneration": settled["metadata"]["generation"], "terminatingReplicas": 0}

    def test_takes_nothing_but_the_number(self, place):
        """A scale cannot store annotations or a status; a null number is 0."""
        path = place.workload()
        scale = place.wire.get(f"{path}/scale")

        more = {"metadata": {"annotations": {"a": "b"}}, "status": {"replicas": 9}}
        reply = place.wire.patch(f"{path}/scale", more, dryRun="All", fieldValidation="Strict")
        none = place.wire.patch(f"{path}/scale", replicas(None), dryRun="All")

        assert reply.body == scale
        assert none.body["spec"] == {}


class TestRestart:
    """Patching the object itself."""

    @BOTH
    def test_leaves_its_mark(self, place, kind):
        """A restart raises the generation and leaves a timed entry with exactly the two annotations."""
        path = place.workload(kind)
        before = place.wire.get(path)

        reply = place.wire.patch(path, RESTART, fieldManager="countersign:a", fieldValidation="Strict")

        assert reply.status == 200
        assert reply.body["metadata"]["generation"] == before["metadata"]["generation"] + 1
        assert reply.body["metadata"]["annotations"][REQUEST_ID] == "esc_1"
        assert reply.body["spec"]["template"]["metadata"]["annotations"] == {RESTARTED_AT: "2026-01-01T00:00:00Z"}
        assert reply.body["status"] == before["status"]
        fields, timed = entry_of(reply.body, "countersign:a")
        new_map: dict[str, Any] = {".": {}} if kind == "StatefulSet" else {}
        annotated = {f"f:{REQUEST_ID}": {}, **new_map}
        assert timed
        assert fields == {
            "manager": "countersign:a",
            "operation": "Update",
            "apiVersion": "apps/v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:annotations": annotated},
                "f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, f"f:{RESTARTED_AT}": {}}}}},
            },
        }

    def test_sent_again_changes_nothing(self, place):
        """The identical patch keeps the resource version, whoever sends it."""
        path = place.workload()
        place.wire.patch(path, RESTART, fieldManager="countersign:a")
        before = place.wait_settled(path)

        for manager in ("countersign:a", "countersign:b"):
            assert place.wire.patch(path, RESTART, fieldManager=manager).body == before

    def test_without_a_manager_is_named_by_its_user_agent(self, place):
        """Who names no field manager is called by the first word of the user agent."""
        path = place.workload()

        reply = place.wire.send(
            "PATCH", path, RESTART, content_type=MERGE, headers={"User-Agent": "countersign/1.2 req/esc_1"}
        )

        assert "countersign" in [entry["manager"] for entry in writers(reply.body)]


@pytest.mark.parametrize(
    ("kind", "field", "rises"),
    [
        ("Deployment", "labels", False),
        ("Deployment", "annotations", True),
        ("StatefulSet", "labels", False),
        ("StatefulSet", "annotations", False),
    ],
)
def test_what_raises_the_generation(place, kind, field, rises):
    """Labels never do; annotations do on a Deployment."""
    path = place.workload(kind)
    before = place.wire.get(path)

    reply = place.wire.patch(path, {"metadata": {field: {"team": "a"}}})

    assert reply.body["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert reply.body["metadata"]["generation"] - before["metadata"]["generation"] == int(rises)


def test_a_field_that_is_taken_out_gets_its_default(place):
    """A null in a merge patch removes; what the server has a default for comes back as that."""
    path = place.workload()

    reply = place.wire.patch(path, {"spec": {"replicas": None, "progressDeadlineSeconds": None}}, dryRun="All")

    assert (reply.body["spec"]["replicas"], reply.body["spec"]["progressDeadlineSeconds"]) == (1, 600)


def test_a_status_cannot_be_written(place):
    """A status in a patch of the object is ignored."""
    path = place.workload()
    before = place.wire.get(path)

    reply = place.wire.patch(path, {"status": {"replicas": 77}}, fieldValidation="Strict")

    assert (reply.status, reply.body) == (200, before)
