"""Tests of the Makefile's small programs."""
