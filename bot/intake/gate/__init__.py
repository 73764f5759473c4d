"""What every call passes before anything is parsed: credential, size and rate."""
