"""The bundled networks: MLPerf Tiny's four, their labels, front ends and samples."""

from sw.zoo.networks import NETWORKS, Network, Sample, Task, find, model_digest, recognize

__all__ = ["NETWORKS", "Network", "Sample", "Task", "find", "model_digest", "recognize"]
