"""Fencing: what an expression lets change. That the API server means the same by it is proven on the real one."""

from approvals.verbs.fencing import keeps_owners, only_annotation, same_but


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
    """Whoever's an entry is, it may come to own the fields, or lose them, and nothing else; each map on the way is walked."""
    text = keeps_owners([("f:spec", "f:template", "f:x")])

    top, spec = "o.?fieldsV1.orValue({})", "o.?fieldsV1[?'f:spec'].orValue({})"
    template = "o.?fieldsV1[?'f:spec'][?'f:template'].orValue({})"
    walks = [(top, "['f:spec']"), (spec, "['f:template']"), (template, "['f:x', '.']")]
    for new, free in walks:
        old = new.replace("o.", "e.", 1)
        assert f"{new}.all(k, k in {free} || (k in {old} && {new}[k] == {old}[k]))" in text
        assert f"{old}.all(k, k in {free} || k in {new})" in text
        assert f"{old}.all(k, k in {free})" in text, "an entry that is new, or goes, owns nothing else"
    assert f"!('f:spec' in {top}) || {spec}.size() > 0" in text, "an empty map would mean all of it"
    assert f"!('f:template' in {spec})" not in text, "a map whose own key may come may be empty"
    assert text.count("\n&& ") == 3
    assert text.startswith(
        "(oldObject.metadata.?managedFields.orValue([]).size() == 0"
        " || object.metadata.?managedFields.orValue([]).size() > 0)"
    )
