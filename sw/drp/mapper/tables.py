"""Which memories hold which tables."""

from collections.abc import Mapping, Sequence

from ortools.sat.python import cp_model

from golden.spec.drp.fabric import Fabric
from golden.spec.drp.operations import OPERATIONS
from sw.drp.graph import Graph, Node
from sw.drp.mapper.sites import Sites

__all__ = ["place_tables"]


def place_tables(model: cp_model.CpModel, graph: Graph, fabric: Fabric, nodes: Sequence[Node],
                 at: Sites, pinned: Mapping[int, int]) -> None:
    """Tables fit their elements; one that is written exists once.

    Parameters
    ----------
    model : CpModel
    graph : Graph
    fabric : Fabric
    nodes : sequence of Node
    at : Sites
    pinned : mapping of int
        Elements of tables, decided already.
    """
    users = [n for n, node in enumerate(nodes) if node.table >= 0]
    written = {nodes[n].table for n in users if OPERATIONS[nodes[n].op].effect}
    held = {(element, table): model.new_bool_var(f"table{element}_{table}")
            for element in fabric.memories for table in range(len(graph.tables))}
    for element in fabric.memories:
        model.add(sum(words * held[element, table] for table, words in
                      enumerate(graph.tables)) <= fabric.table_words)
        for table in written:  # addresses of writes have no place for a table's
            for other in range(len(graph.tables)):
                if other != table:
                    model.add_at_most_one(held[element, table], held[element, other])
    for n in users:
        for element, var in at.unit[n].items():
            model.add_implication(var, held[element, nodes[n].table])
        if nodes[n].table in pinned:
            model.add(at.unit[n][pinned[nodes[n].table]] == 1)
    for table in written:
        model.add_exactly_one(held[element, table] for element in fabric.memories)
