"""Scratchpad and weight store."""
