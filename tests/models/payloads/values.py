"""Values that a verb's parameters take, drawn at random."""

from typing import Any

from hypothesis import strategies as st

from approvals.verbs.parameter import Choice, Parameter, Switch, WholeNumber, Word


def values_of(parameter: Parameter) -> st.SearchStrategy[Any]:
    """Return whatever a parameter takes."""
    match parameter:
        case WholeNumber():
            return st.integers(parameter.least, parameter.most)
        case Choice():
            return st.sampled_from(parameter.options)
        case Word():
            return st.from_regex(parameter.form, fullmatch=True).filter(lambda word: len(word) <= parameter.longest)
        case Switch():
            return st.booleans()
