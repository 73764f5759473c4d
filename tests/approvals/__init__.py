"""Tests of the court: no server, no socket, no waiting."""
