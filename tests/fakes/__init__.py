"""Small real things that stand where a port is asked for; each is held to the contract of the port it stands for."""
