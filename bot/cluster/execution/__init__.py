"""What is planned, written and observed in a cluster."""
