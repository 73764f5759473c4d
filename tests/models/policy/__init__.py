"""Tests of the rooms a policy file goes through."""
