"""The door to Kubernetes: plans, writes and observes for every verb. The only importer of its client library."""
