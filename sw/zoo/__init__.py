"""The bundled networks: MLPerf Tiny's four, their labels, front ends and samples."""

from sw.zoo.networks import NETWORKS, Network, Task, find

__all__ = ["NETWORKS", "Network", "Task", "find"]
