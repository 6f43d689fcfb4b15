"""Pruning: which weights go, so that what remains costs few cycles on the chip."""
