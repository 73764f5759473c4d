"""Tests of the verbs: one file a verb, and the registry."""
