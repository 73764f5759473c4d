"""The house itself: contracts, banned names, and that what watches over them is awake."""
