"""Modulo scheduling, placement and routing in one constraint model."""
