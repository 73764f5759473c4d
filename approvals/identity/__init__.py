"""Who is who: people and their accounts, the tokens of agents and monitors, the names of our own accounts, and places."""
