"""How the workspace reaches the app: Socket Mode, or signed HTTP. Both deliver parcels and return acknowledgements."""
