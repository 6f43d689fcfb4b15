"""Tests and benches, mirroring the tree."""
