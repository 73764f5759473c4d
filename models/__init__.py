"""The store: what is kept, and the shapes that cross the wire. It judges nothing and calls no use case.

:mod:`models.engine` (connections), :mod:`models.store` (tables and the unit of work), :mod:`models.audit` (the trail),
:mod:`models.outbox` (what waits to be shown), :mod:`models.schema` (migrations and grants), :mod:`models.policy` (the policy
file),
:mod:`models.payloads` (the wire).
"""
