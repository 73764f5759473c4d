"""The history of the tables. Imports nothing of ours: what once ran must not change when a row class does."""
