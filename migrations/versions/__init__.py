"""One file a revision, each able to run while the previous release still serves."""
