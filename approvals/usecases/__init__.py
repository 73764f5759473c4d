"""The verbs of the product: escalate, decide, expire, execute, pause.

Each opens its own units of work, judges once with one instant, and stores the new state with its audit events.
"""
