"""Variables that say where and when each node is."""

from collections.abc import Mapping, Sequence
from typing import Any

from ortools.sat.python import cp_model

from golden.spec.drp.fabric import Fabric
from sw.drp.graph import Node, Role

__all__ = ["Sites"]

Bool = cp_model.IntVar


class Sites:
    """Site, unit, slot, row, column, stage and time of every node.

    Parameters
    ----------
    model : CpModel
    fabric : Fabric
    nodes : sequence of Node
    originals : mapping of int
        Of copies, which are optional: the node they copy.
    ii : int
    earliest : sequence of int
        First possible time of each node that isn't a copy.
    latest : int

    Members
    -------
    site, routed : dict of Bool by (unit, slot)
        Issued there; of copies, routed there.
    unit : list of dict of Bool
    slot, row, col : list of lists of Bool
        An output stream's row is its number.
    stage : list of IntVar
    time : list of linear expressions
    active, is_route : dict of Bool
        Of copies: exists, is a route.
    """

    def __init__(self, model: cp_model.CpModel, fabric: Fabric, nodes: Sequence[Node],
                 originals: Mapping[int, int], ii: int, earliest: Sequence[int],
                 latest: int) -> None:
        self._model, self._fabric, self._ii = model, fabric, ii
        self.site: list[dict[tuple[int, int], Bool]] = []
        self.routed: dict[int, dict[tuple[int, int], Bool]] = {}
        self.unit: list[dict[int, Bool]] = []
        self.slot: list[list[Bool]] = []
        self.row: list[list[Bool]] = []
        self.col: list[list[Bool]] = []
        self.stage: list[cp_model.IntVar] = []
        self.time: list[Any] = []
        self.active: dict[int, Bool] = {}
        self.is_route: dict[int, Bool] = {}
        for number, node in enumerate(nodes):
            self._add(number, node, originals.get(number))
            stages = latest // ii + 1
            if node.staged:
                stages = min(stages, fabric.stages - 1)
            stage = model.new_int_var(0, stages, f"k{number}")
            time = stage * ii + sum(slot * var for slot, var in enumerate(self.slot[number]))
            self.stage.append(stage)
            self.time.append(time)
            if number in originals:
                first = earliest[originals[number]] + nodes[originals[number]].latency
                model.add(time >= first).only_enforce_if(self.active[number])
                model.add(stage == 0).only_enforce_if(~self.active[number])
            else:
                model.add(time >= earliest[number])
                model.add(time <= latest)

    def _units(self, node: Node) -> Sequence[int]:
        if node.role is Role.POP:
            return range(self._fabric.inputs)
        if node.role is Role.PUSH:
            return range(self._fabric.outputs)
        return self._fabric.places(node.kind)

    def _add(self, number: int, node: Node, original: int | None) -> None:
        model, slots = self._model, range(self._ii)
        units = self._units(node)
        site = {(unit, slot): model.new_bool_var(f"x{number}_{unit}_{slot}")
                for unit in units for slot in slots}
        here: dict[tuple[int, int], Any] = dict(site)
        unit_of = {unit: model.new_bool_var(f"u{number}_{unit}") for unit in units}
        slot_of = [model.new_bool_var(f"s{number}_{slot}") for slot in slots]
        if original is None:
            model.add_exactly_one(unit_of.values())
            model.add_exactly_one(slot_of)
        else:
            self.active[number] = model.new_bool_var(f"active{number}")
            self.is_route[number] = model.new_bool_var(f"route{number}")
            routed = {key: model.new_bool_var(f"y{number}_{key}") for key in site}
            self.routed[number] = routed
            model.add(sum(routed.values()) == self.is_route[number])
            model.add(sum(unit_of.values()) == self.active[number])
            here = {key: site[key] + routed[key] for key in site}
        for unit in units:
            model.add(sum(here[unit, slot] for slot in slots) == unit_of[unit])
        for slot in slots:
            model.add(sum(here[unit, slot] for unit in units) == slot_of[slot])
        self.site.append(site)
        self.unit.append(unit_of)
        self.slot.append(slot_of)
        if node.role in (Role.POP, Role.PUSH):
            self.row.append([unit_of[unit] for unit in units])
            self.col.append([])
            return
        for lines, count, axis in ((self.row, self._fabric.rows, 0),
                                   (self.col, self._fabric.columns, 1)):
            found = [model.new_bool_var("") for _ in range(count)]
            for line, var in enumerate(found):
                model.add(sum(here for unit, here in unit_of.items()
                              if self._fabric.place(unit)[axis] == line) == var)
            lines.append(found)
