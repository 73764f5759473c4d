"""Tests of the archive: what it reads, stores and gives back."""
