"""Mappings on disk, keyed by all they depend on.

A mapping doesn't depend on constants, so that a kernel compiled with other ones finds it too.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from golden.spec.drp.fabric import Fabric
from sw.drp.graph import Edge, Graph, Node, Role
from sw.drp.mapper.mapping import Link, Mapping

__all__ = ["Cache", "default_cache"]

VERSION = 2  # of the mapper: another answer for the same graph needs another number


class Cache:
    """A folder of mappings.

    Parameters
    ----------
    folder : Path
        Made when something is stored.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _file(self, graph: Graph, fabric: Fabric, seed: int, first: int) -> Path:
        key = json.dumps([VERSION, graph.shape(), asdict(fabric), seed, first], sort_keys=True)
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    def load(self, graph: Graph, fabric: Fabric, seed: int,
             first: int) -> tuple[Mapping | None, float]:
        """(mapping or None, seconds it took to find); ``first`` is the smallest interval tried."""
        try:
            data = json.loads(self._file(graph, fabric, seed, first).read_text())
        except (OSError, ValueError):
            return None, 0.0
        nodes = []
        for item in data["nodes"]:
            operands = tuple(edge and Edge(*edge) for edge in item["operands"])
            node = (graph.nodes[item["original"]] if item["original"] >= 0
                    else Node(role=Role(item["role"])))
            nodes.append(replace(node, operands=operands))
        mapping = Mapping(
            Graph(tuple(nodes), graph.tables), fabric, data["ii"], tuple(data["units"]),
            tuple(data["times"]),
            {(consumer, operand): Link(link) for consumer, operand, link in data["links"]},
            {(element, table): first for element, table, first in data["tables"]})
        return mapping, data["seconds"]

    def store(self, graph: Graph, fabric: Fabric, seed: int, first: int, mapping: Mapping,
              seconds: float) -> None:
        """Keep a mapping of a graph; its first nodes are the graph's."""
        count = len(graph.nodes)
        nodes = [{"original": number if number < count else -1, "role": node.role.value,
                  "operands": [edge and [edge.source, edge.distance] for edge in node.operands]}
                 for number, node in enumerate(mapping.graph.nodes)]
        data: dict[str, Any] = {
            "nodes": nodes, "ii": mapping.ii, "units": mapping.units, "times": mapping.times,
            "links": [[*key, int(link)] for key, link in mapping.links.items()],
            "tables": [[*key, first] for key, first in mapping.tables.items()],
            "seconds": seconds}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._folder, delete=False) as part:
                json.dump(data, part)
            os.replace(part.name, self._file(graph, fabric, seed, first))
        except OSError:
            return  # no cache, no harm


def default_cache() -> Cache:
    """The user's: ``$XDG_CACHE_HOME/sentei/drp``."""
    home = os.environ.get("XDG_CACHE_HOME")
    return Cache((Path(home) if home else Path.home() / ".cache") / "sentei" / "drp")


