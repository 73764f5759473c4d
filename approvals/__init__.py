"""The rules: what may happen, decided by pure functions over frozen values.

Reading order: :mod:`approvals.change` (what an agent wants done, the plan and the fingerprint that binds it),
:mod:`approvals.policy` (who must agree), :mod:`approvals.workflow` (request, execution and pause, as state machines),
:mod:`approvals.audit` (what is written down). Who is who is :mod:`approvals.identity`, what can be done :mod:`approvals.verbs`,
what people are shown :mod:`approvals.presentation`. :mod:`approvals.usecases` puts them to work; what those need from outside is
:mod:`approvals.ports`.

Standard library only; no clock, randomness, environment or network is read here: instants and ids are arguments, so a test can
choose any moment.
"""
