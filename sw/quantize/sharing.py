"""One quantization for tensors that should have the same: what keeps values, and what is joined."""

from collections.abc import Mapping

from sw.quantize.network import Network
from sw.quantize.placement import Placement
from sw.quantize.ranges import Quant, Range, quant_of

__all__ = ["shared_quants"]

# By how much coarser the steps of a tensor that others read too may become for a Concat.
COARSER = 2.0


class _Groups:
    """Tensors that share one range."""

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        self._parent = {name: name for name in ranges}
        self._range = dict(ranges)
        self.members = {name: [name] for name in ranges}

    def root(self, name: str) -> str:
        while self._parent[name] != name:
            name = self._parent[name]
        return name

    def range(self, name: str) -> Range:
        return self._range[self.root(name)]

    def join(self, first: str, second: str) -> None:
        first, second = self.root(first), self.root(second)
        if first != second:
            self._range[first] = self._range[first].joined(self._range.pop(second))
            self.members[first] += self.members.pop(second)
            self._parent[second] = first

    def widen(self, name: str, covered: Range) -> None:
        root = self.root(name)
        self._range[root] = self._range[root].joined(covered)


def shared_quants(network: Network, placement: Placement,
                  ranges: Mapping[str, Range]) -> dict[str, Quant]:
    """Scale and zero point of each point.

    What goes into a Concat has its quantization where nobody else reads it, or reads it not much
    coarser; otherwise the chip converts it on the way.
    """
    groups = _Groups(ranges)
    for before, after in placement.shared:
        groups.join(before, after)
    keeping = set(placement.shared)
    for concat in placement.concats:
        whole = groups.range(concat.inputs[0])
        for name in concat.inputs[1:]:
            whole = whole.joined(groups.range(name))
        joining = []
        for name in concat.inputs:
            members = groups.members[groups.root(name)]
            alone = all(_joins(network, placement, reader) or any(
                (member, output) in keeping for output in network.nodes[reader].output)
                for member in members for reader in network.readers.get(member, ()))
            if alone or whole.width <= COARSER * groups.range(name).width:
                joining.append(name)
        for name in joining:
            groups.join(concat.output, name)
        groups.widen(concat.output, whole)
    return {name: quant_of(groups.range(name)) for name in ranges}


def _joins(network: Network, placement: Placement, reader: int) -> bool:
    return network.nodes[reader].op_type == "Concat" and reader in placement.quantized
