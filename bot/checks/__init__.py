"""What the service checks at start and watches afterwards: channels, clusters, rights, people."""
