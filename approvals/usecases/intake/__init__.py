"""How what agents and monitors send comes in."""
