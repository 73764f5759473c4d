"""Ports: what the use cases need from outside, as small protocols. Who implements them is named in :mod:`bot.wiring.parts`.

The store's methods are called inside one transaction; no method of any other port may be. Locks are taken in the order
gate, environment, request, execution, target, token, and the streams last of all, when the transaction commits. After its locks
are taken a unit of work reads :attr:`UnitOfWork.now` once: that is the instant everything in it is judged at.
"""
