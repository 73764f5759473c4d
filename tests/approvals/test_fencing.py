"""Fencing: what an expression lets change. That the API server means the same by it is proven on the real one."""

from approvals.fencing import keeps_owners, only_annotation, same_but


def test_a_map_is_the_same_but_for_its_free_keys():
    """Both sides are walked: what is new on one is as bad as what is gone from the other."""
    assert same_but("spec", "replicas", "paused") == (
        "object.spec.all(k, k in ['replicas', 'paused'] || (k in oldObject.spec && object.spec[k] == oldObject.spec[k]))"
        " && oldObject.spec.all(k, k in ['replicas', 'paused'] || k in object.spec)"
    )
    assert same_but("", "spec") == (
        "object.all(k, k in ['spec'] || (k in oldObject && object[k] == oldObject[k]))"
        " && oldObject.all(k, k in ['spec'] || k in object)"
    )


def test_one_annotation_may_come_or_change_and_not_go():
    """It has to be there, whole of its form; the others stay."""
    new, old = "object.metadata.?annotations.orValue({})", "oldObject.metadata.?annotations.orValue({})"

    assert only_annotation("metadata", "a/b", "^[0-9]{1,4}$") == (
        f"'a/b' in {new} && {new}['a/b'].matches('^[0-9]{{1,4}}$')"
        f" && {new}.all(k, k == 'a/b' || (k in {old} && {new}[k] == {old}[k]))"
        f" && {old}.all(k, k in {new})"
    )


def test_owners_stay_but_for_the_fields_that_are_written():
    """An entry goes only by losing one of the fields; a subresource's is nobody's to touch."""
    text = keeps_owners([("f:spec", "f:paused")])

    assert "'f:paused' in e.?fieldsV1[?'f:spec'].orValue({})" in text
    assert text.count("\n&& ") == 4
    assert text.startswith(
        "(oldObject.metadata.?managedFields.orValue([]).size() == 0"
        " || object.metadata.?managedFields.orValue([]).size() > 0)"
    )
