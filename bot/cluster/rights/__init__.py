"""The rights that all this needs: what they are, as manifests, and whether a cluster grants exactly those."""
