"""The policy file, from bytes to :class:`approvals.policy.policy.Policy`, one room a step.

:mod:`reading` (YAML with one reading, and where everything stands) -> :mod:`shaping` into :mod:`shapes` made of
:mod:`fields` (keys and kinds of values) -> :mod:`references` and :mod:`counting` (what needs more than one entry to
judge) -> :mod:`translation` (the nouns) -> :mod:`remarks` (what is allowed and probably not meant). The way in is
:mod:`models.policy.file`. What a policy rules is not here but in :mod:`approvals.policy.ruling`.
"""
