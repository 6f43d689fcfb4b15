"""Readers of network files: each gives a ``golden.graph.Graph`` or a ``ModelError``."""
