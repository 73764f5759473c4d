"""The verbs of the product, one a module: escalate, decide, expire, cancel, follow revocations, pause, execute, admit and more.

Each is a small class whose fields are the ports it needs and whose call is the verb. The shape is always the same: read,
ask the outside without holding a lock, then judge and write in one transaction on fresh reads. Doors call these
and nothing else.
"""
