"""Tests of the shapes that cross the wire."""
