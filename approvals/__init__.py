"""The court: what may happen, decided by pure functions over frozen values.

Reading order: :mod:`approvals.change.action` (what an agent proposes), :mod:`approvals.change.plan` (what would change,
and the fingerprint that binds it), :mod:`approvals.policy.policy` (who must agree), :mod:`approvals.workflow.request` (the
question and its one outcome), :mod:`approvals.workflow.pause` (what stops everything), :mod:`approvals.workflow.execution`
(how an approved change is carried out at most once), :mod:`approvals.audit.events` (what is written down). The
verbs of the product are in :mod:`approvals.usecases`; what they need from outside is :mod:`approvals.ports`.

Standard library only; no clock, randomness, environment or network is read here: instants and ids are
arguments, so any moment can be put on stage in a test.
"""
