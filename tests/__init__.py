"""Everything that proves the promises. The tree mirrors the packages; see CONTRIBUTING.md for how to run it."""
