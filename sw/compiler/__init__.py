"""Graph to program: lower, pack, plan, emit, synchronize.

`compile_graph` is all that callers need.
"""

from sw.compiler.compile import compile_graph

__all__ = ["compile_graph"]
