"""A board simulated to its pins."""
