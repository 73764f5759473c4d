"""The archive: rows, their mapping to nouns, the store, and the shapes that cross the wire.

It remembers and judges nothing: rules are in :mod:`approvals`, and nothing here calls a use case.
"""
