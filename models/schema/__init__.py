"""The schema: its revision, its migrations and the grants of the restricted role."""
