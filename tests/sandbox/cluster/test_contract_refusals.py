"""The contract, refusals: which patch is turned down, with which code, reason and words, and that nothing changes then."""

import json

import pytest

from tests.sandbox.cluster.test_contract_writes import BOTH, name_of, replicas
from tests.sandbox.cluster.wire import MERGE

OTHER_UID = "11111111-1111-1111-1111-111111111111"
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class TestPreconditions:
    """A write may say of which object in which version it speaks."""

    @pytest.mark.parametrize("subresource", ["", "/scale"])
    @pytest.mark.parametrize("options", [{}, {"dryRun": "All"}])
    def test_a_stale_version_is_a_conflict(self, place, subresource, options):
        """A resource version that is not the newest is 409, also in a dry run."""
        path = place.workload()
        before = place.wire.get(path)

        reply = place.wire.patch(
            f"{path}{subresource}", {"metadata": {"resourceVersion": "1"}} | replicas(4), **options
        )

        name = name_of(path)
        assert reply.refusal == {
            "code": 409,
            "reason": "Conflict",
            "message": f'Operation cannot be fulfilled on deployments.apps "{name}": {MODIFIED}',
            "details": {"name": name, "group": "apps", "kind": "deployments"},
        }
        assert place.wire.get(path) == before

    def test_another_uid_is_a_conflict_for_a_scale(self, place):
        """A scale of an object with another uid is 409, whatever version it names, also in a dry run."""
        path = place.workload()
        uid = place.wire.get(path)["metadata"]["uid"]

        replies = [
            place.wire.patch(f"{path}/scale", {"metadata": {"uid": OTHER_UID, **more}} | replicas(4), **options)
            for more, options in (({}, {}), ({"resourceVersion": "1"}, {}), ({}, {"dryRun": "All"}))
        ]

        name = name_of(path)
        why = f"Precondition failed: UID in precondition: {OTHER_UID}, UID in object meta: {uid}"
        wanted = {
            "code": 409,
            "reason": "Conflict",
            "message": f'Operation cannot be fulfilled on deployments/scale.apps "{name}": {why}',
            "details": {"name": name, "group": "apps", "kind": "deployments/scale"},
        }
        assert [reply.refusal for reply in replies] == [wanted] * 3

    @BOTH
    def test_another_uid_is_invalid_for_an_object(self, place, kind):
        """A patch of an object with another uid is 422; a stale version is found first and is 409."""
        path = place.workload(kind)

        invalid = place.wire.patch(path, {"metadata": {"uid": OTHER_UID}})
        stale = place.wire.patch(path, {"metadata": {"uid": OTHER_UID, "resourceVersion": "1"}})

        why = f'Invalid value: "{OTHER_UID}": field is immutable'
        refusal = invalid.refusal
        assert refusal["message"] == f'{kind}.apps "{name_of(path)}" is invalid: metadata.uid: {why}'
        assert (refusal["code"], refusal["reason"]) == (422, "Invalid")
        cause = {"reason": "FieldValueInvalid", "message": why, "field": "metadata.uid"}
        assert all(one == cause for one in refusal["details"]["causes"])
        assert stale.status == 409

    @pytest.mark.parametrize("subresource", ["", "/scale"])
    def test_a_version_that_is_no_number_is_an_internal_error(self, place, subresource):
        """The server answers 500, and nothing has changed."""
        path = place.workload()
        before = place.wire.get(path)

        reply = place.wire.patch(f"{path}{subresource}", {"metadata": {"resourceVersion": "abc"}} | replicas(4))

        assert reply.refusal == {"code": 500, "message": 'strconv.ParseUint: parsing "abc": invalid syntax'}
        assert place.wire.get(path) == before


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"name": "other"}, "the name of the object (other) does not match the name on the URL ({name})"),
        (
            {"namespace": "other"},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ],
)
@pytest.mark.parametrize("subresource", ["", "/scale"])
def test_an_object_cannot_be_renamed(place, patch, message, subresource):
    """Name and namespace in the body must be those of the address."""
    path = place.workload()

    reply = place.wire.patch(f"{path}{subresource}", {"metadata": patch})

    assert reply.refusal == {"code": 400, "reason": "BadRequest", "message": message.format(name=name_of(path))}


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
@pytest.mark.parametrize("subresource", ["", "/scale"])
def test_a_patch_must_say_which_kind_it_is(place, content_type, subresource):
    """Without a patch's content type it is 415."""
    path = place.workload(settled=False)

    reply = place.wire.send("PATCH", f"{path}{subresource}", replicas(4), content_type=content_type)

    wanted = {"code": 415, "reason": "UnsupportedMediaType", "message": "415: Unsupported Media Type", "details": {}}
    assert reply.refusal == wanted


def test_a_content_type_may_have_parameters(place):
    """A charset does no harm."""
    path = place.workload()

    reply = place.wire.send("PATCH", f"{path}?dryRun=All", replicas(4), content_type=f"{MERGE}; charset=utf-8")

    assert reply.status == 200


@pytest.mark.parametrize("body", [b'{"spec":', b"", b"[1]", b"3", b'{"spec":{"replicas":NaN}}', b"\xff\xfe"])
def test_a_body_that_is_no_object_is_a_bad_request(place, body):
    """What is no JSON object is 400; a missing object is found first and is 404."""
    path = place.workload(settled=False)

    reply = place.wire.send("PATCH", path, body, content_type=MERGE)

    assert (reply.status, reply.body["reason"]) == (400, "BadRequest")
    assert reply.body["message"].startswith("error decoding patch: ")
    assert place.wire.send("PATCH", f"{path}-not", body, content_type=MERGE).status == 404


def test_a_body_has_a_limit(place):
    """More than three mebibytes are 413."""
    path = place.workload(settled=False)
    body = json.dumps({"metadata": {"annotations": {"a": "x" * 3 * 1024 * 1024}}}).encode()

    reply = place.wire.send("PATCH", path, body, content_type=MERGE)

    wanted = {"code": 413, "reason": "RequestEntityTooLarge", "message": "Request entity too large: limit is 3145728"}
    assert reply.refusal == wanted


@pytest.mark.parametrize(
    ("options", "field", "reason", "message"),
    [
        (
            {"dryRun": "Some"},
            "dryRun",
            "FieldValueNotSupported",
            'Unsupported value: ["Some"]: supported values: "All"',
        ),
        (
            {"fieldValidation": "Some"},
            "fieldValidation",
            "FieldValueNotSupported",
            'Unsupported value: "Some": supported values: "", "Ignore", "Strict", "Warn"',
        ),
        (
            {"fieldManager": "a%01"},
            "fieldManager",
            "FieldValueInvalid",
            'Invalid value: "a\\x01": invalid character U+0001 (at position 1)',
        ),
        ({"fieldManager": "x" * 129}, "fieldManager", "FieldValueTooLong", "Too long: may not be more than 128 bytes"),
    ],
)
def test_options_are_checked(place, options, field, reason, message):
    """An option that is not known, and a field manager over 128 bytes, are 422."""
    path = place.workload(settled=False)

    reply = place.wire.patch(f"{path}/scale", replicas(4), **options)

    assert reply.refusal == {
        "code": 422,
        "reason": "Invalid",
        "message": f'PatchOptions.meta.k8s.io "" is invalid: {field}: {message}',
        "details": {
            "group": "meta.k8s.io",
            "kind": "PatchOptions",
            "causes": [{"reason": reason, "message": message, "field": field}],
        },
    }


def test_a_field_manager_may_have_128_bytes(place):
    """The limit may be reached."""
    path = place.workload()

    assert place.wire.patch(f"{path}/scale", replicas(4), fieldManager="x" * 128, dryRun="All").status == 200


class TestStrictness:
    """What becomes of fields that are not known, written twice, or of the wrong type."""

    @pytest.mark.parametrize("subresource", ["", "/scale"])
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b'{"spec":{"replcas":4}}', 'unknown field "spec.replcas"'),
            (b'{"metadata":{"nmae":"x"}}', 'unknown field "metadata.nmae"'),
            (b'{"spec":{"replicas":4,"replicas":5}}', 'duplicate field "spec.replicas"'),
        ],
    )
    def test_unknown_and_repeated_fields(self, place, subresource, body, said):
        """Strict refuses them, Warn drops them with a warning, Ignore drops them without a word."""
        path = place.workload()
        before = place.wire.get(path)
        address = f"{path}{subresource}?dryRun=All"

        strict, warned, default, ignored = (
            place.wire.send("PATCH", f"{address}{options}", body, content_type=MERGE)
            for options in ("&fieldValidation=Strict", "&fieldValidation=Warn", "", "&fieldValidation=Ignore")
        )

        refusal = strict.refusal
        assert (strict.status, refusal["code"], refusal["reason"]) == (422, 422, "Invalid")
        assert refusal["message"].endswith(f"strict decoding error: {said}")
        assert [(cause["reason"], cause["field"]) for cause in refusal["details"]["causes"]] == [
            ("FieldValueInvalid", "patch")
        ]
        assert (warned.status, ignored.status) == (200, 200)
        assert warned.headers["Warning"] == default.headers["Warning"] == f"299 - {json.dumps(said)}"
        assert "Warning" not in ignored.headers
        assert place.wire.get(path) == before

    @pytest.mark.parametrize(
        ("subresource", "patch", "said"),
        [
            ("", replicas("4"), "cannot unmarshal string"),
            ("/scale", replicas("4"), "cannot unmarshal string"),
            ("/scale", replicas(4.5), "cannot unmarshal number"),
            ("/scale", replicas(3_000_000_000), "cannot unmarshal number"),
            ("/scale", replicas(True), "cannot unmarshal bool"),
            ("", {"metadata": {"annotations": {"a/b": 1}}}, "cannot unmarshal number"),
            ("", {"spec": {"template": {"spec": {"containers": {}}}}}, "cannot unmarshal object"),
            ("", {"spec": []}, "cannot unmarshal array"),
            ("", {"kind": "Pod"}, 'no kind "Pod" is registered for version "apps/v1"'),
            ("/scale", {"kind": "Pod"}, 'no kind "Pod" is registered for version "autoscaling/v1"'),
        ],
    )
    def test_wrong_types(self, place, subresource, patch, said):
        """A value of the wrong type is 422, strict or not, and the message quotes the whole object."""
        path = place.workload()

        reply = place.wire.patch(f"{path}{subresource}", patch, fieldValidation="Ignore")

        refusal = reply.refusal
        assert (refusal["code"], refusal["reason"]) == (422, "Invalid")
        assert said in refusal["message"]
        assert name_of(path) in refusal["message"]


class TestValidation:
    """Values of the right type that are not possible."""

    @pytest.mark.parametrize(
        ("subresource", "subject", "group"),
        [("", "Deployment.apps", "apps"), ("/scale", "Scale.autoscaling", "autoscaling")],
    )
    def test_fewer_than_no_pods(self, place, subresource, subject, group):
        """A negative number is 422, with the field's path."""
        path = place.workload()

        reply = place.wire.patch(f"{path}{subresource}", replicas(-1))

        why = "Invalid value: -1: must be greater than or equal to 0"
        assert reply.refusal == {
            "code": 422,
            "reason": "Invalid",
            "message": f'{subject} "{name_of(path)}" is invalid: spec.replicas: {why}',
            "details": {
                "name": name_of(path),
                "group": group,
                "kind": subject.partition(".")[0],
                "causes": [{"reason": "FieldValueInvalid", "message": why, "field": "spec.replicas"}],
            },
        }

    def test_a_selector_stays(self, place):
        """A Deployment's selector is immutable, and its template must match it."""
        path = place.workload()

        reply = place.wire.patch(path, {"spec": {"selector": {"matchLabels": {"app": "other"}}}})

        refusal = reply.refusal
        assert (refusal["code"], refusal["reason"]) == (422, "Invalid")
        fields = {cause["field"] for cause in refusal["details"]["causes"]}
        assert fields == {"spec.selector", "spec.template.metadata.labels"}

    def test_a_stateful_set_keeps_most_of_its_specification(self, place):
        """Fields of a StatefulSet that may not change are 422, all in one sentence."""
        path = place.workload("StatefulSet")

        reply = place.wire.patch(path, {"spec": {"serviceName": "other"}})

        why = (
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
            "are forbidden"
        )
        assert reply.refusal == {
            "code": 422,
            "reason": "Invalid",
            "message": f'StatefulSet.apps "{name_of(path)}" is invalid: spec: {why}',
            "details": {
                "name": name_of(path),
                "group": "apps",
                "kind": "StatefulSet",
                "causes": [{"reason": "FieldValueForbidden", "message": why, "field": "spec"}],
            },
        }

    @pytest.mark.parametrize(
        ("patch", "field"),
        [
            ({"metadata": {"annotations": {"a b": "c"}}}, "metadata.annotations"),
            ({"metadata": {"annotations": {"UPPER.example/a": "x" * 262144}}}, "metadata.annotations"),
            ({"metadata": {"labels": {"team": "a b"}}}, "metadata.labels"),
            ({"metadata": {"labels": {"/team": "a"}}}, "metadata.labels"),
            ({"spec": {"template": {"metadata": {"labels": {"team": "a b"}}}}}, "spec.template.labels"),
            ({"spec": {"template": {"metadata": {"annotations": {"a b": "c"}}}}}, "spec.template.annotations"),
        ],
    )
    def test_labels_and_annotations(self, place, patch, field):
        """Keys have a form, labels' values too, and annotations a size."""
        path = place.workload()

        reply = place.wire.patch(path, patch, dryRun="All")

        refusal = reply.refusal
        assert (refusal["code"], refusal["reason"]) == (422, "Invalid")
        assert {cause["field"] for cause in refusal["details"]["causes"]} == {field}
