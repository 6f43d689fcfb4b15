"""Which tensors of a network become int8, and which nodes stay float.

The chip computes between int8 tensors. A node of it reads and gives quantized tensors (points);
clamps and factors by channel behind it belong to it, since quantizing commutes with them. What
remains, at the network's ends and around what the chip can't do, stays float: the host runs it.
"""

from dataclasses import dataclass, field

from sw.quantize.network import Network, channel_axis
from sw.quantize.regions import Region, find_regions

__all__ = ["Concat", "Placement", "place"]

_KEEPING = frozenset(("MaxPool", "Slice", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze",
                      "Identity", "Dropout", "DepthToSpace", "SpaceToDepth", "Split", "Gather",
                      "Pad", "Resize"))
_MOVING = _KEEPING - {"MaxPool", "Resize", "Pad"}  # at the end, as good on the host
_REDUCTIONS = frozenset(("ReduceMean", "ReduceMax", "ReduceSum"))
_POOLS = _REDUCTIONS | {"AveragePool", "GlobalAveragePool", "GlobalMaxPool"}
_CLAMPS = frozenset(("Relu", "Clip"))
_AFFINE = frozenset(("Add", "Sub", "Mul", "Div", "BatchNormalization"))
_OF_TWO = frozenset(("Add", "Sub", "Mul"))


@dataclass(frozen=True)
class Concat:
    """Tensors that a quantized Concat joins, and what it gives."""

    inputs: tuple[str, ...]
    output: str


@dataclass
class Placement:
    """Where a network is int8.

    Parameters
    ----------
    points : list of str
        Tensors that are quantized, in the order they are computed.
    quantized : set of int
        Nodes that compute between them.
    own : set of str
        Points that quantized nodes give: whoever reads them reads 8 bits.
    shared : list of (str, str)
        Points with one quantization: what keeps values, before and after.
    concats : list of Concat
    regions : dict of str to Region
        By the point that a table reads.
    outside : dict of int to str
        Nodes that stay float, and why.
    products : dict of str to int
        Node with weights by the point that it gives, itself or through what belongs to it.
    """

    points: list[str] = field(default_factory=list)
    quantized: set[int] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    shared: list[tuple[str, str]] = field(default_factory=list)
    concats: list[Concat] = field(default_factory=list)
    regions: dict[str, Region] = field(default_factory=dict)
    outside: dict[int, str] = field(default_factory=dict)
    products: dict[str, int] = field(default_factory=dict)


    def ends(self, network: Network) -> list[str]:
        """Points that quantized nodes give and only float ones, or nobody, read."""
        return [name for name in self.points if name in self.own and not any(
            reader in self.quantized for reader in network.readers.get(name, ()))]


class _Placer:
    """Places one network."""

    def __init__(self, network: Network, exclude: frozenset[str]) -> None:
        self.network, self.exclude, self.found = network, exclude, Placement()
        self.leads = self._leading()
        self.regions = find_regions(network)
        self.done: set[int] = set()

    def _leading(self) -> set[int]:
        """Nodes from which a way leads to weights."""
        network, found = self.network, set[int]()
        for at in reversed(range(len(network.nodes))):
            readers = [reader for name in network.nodes[at].output
                       for reader in network.readers.get(name, ())]
            if any(reader in found or network.weights(reader) for reader in readers):
                found.add(at)
        return found

    def run(self) -> Placement:
        for at in range(len(self.network.nodes)):
            if at not in self.done:
                self._node(at)
        order = {name: at for at, name in enumerate(self.network.inputs)}
        order |= {name: len(order) + at for name, at in self.network.giver.items()}
        self.found.points = sorted(dict.fromkeys(self.found.points), key=order.__getitem__)
        return self.found

    def _node(self, at: int) -> None:
        network, node = self.network, self.network.nodes[at]
        if node.name in self.exclude:
            self.found.outside[at] = "excluded"
        elif network.weights(at):
            self._take(at, self._behind(at, network.channels(at)), product=True)
        elif reason := self._refused(at):
            self.found.outside[at] = reason
        elif node.output[0] and (region := self._region(at)):
            self._take_region(region)
        elif node.op_type in _KEEPING:
            self._keep(at)
        elif node.op_type == "Concat":
            end = self._clamped(node.output[0], at)
            self._take(at, end)
            self.found.concats.append(Concat(tuple(network.computed(at)), end))
        elif self._affine(at):
            self._take(at, self._behind(at, self._channels(node.output[0])))
        else:
            self._take(at, self._clamped(node.output[0], at))

    def _refused(self, at: int) -> str:
        """Why a node without weights stays float; empty if it doesn't."""
        network, node = self.network, self.network.nodes[at]
        given = network.computed(at)
        if not all(map(network.is_float, (*given, *node.output))):
            return "integers"
        region = self._region(at)
        operator = node.op_type
        if not (region or operator in _KEEPING | _POOLS | _CLAMPS | {"Concat"} or
                (operator in _OF_TWO and len(given) == 2) or self._affine(at)):
            return "no operator of the chip"
        if operator in _REDUCTIONS and not self._spatial(at):
            return "reduces others than rows and columns"
        if operator == "Resize" and network.attribute(at, "mode", b"nearest") not in (
                b"nearest", b"linear"):
            return "interpolates otherwise than linearly"
        if operator in _KEEPING:
            given = given[:1]
        whole = operator in _KEEPING | {"Concat"}
        if any(name not in self.found.own and not (
                name in network.inputs if whole else self._crosses(name)) for name in given):
            return "its input is float"
        if at not in self.leads and (region or operator in _MOVING | {"Concat", "Mul"}
                                     or self._affine(at)):
            return "behind the last weights"
        return ""

    def _crosses(self, tensor: str) -> bool:
        """Whether the host gives a tensor in 8 bits anyway: a product reads it."""
        network = self.network
        return tensor in network.giver and any(
            network.weights(at) and network.nodes[at].name not in self.exclude
            and network.nodes[at].input[0] == tensor for at in network.readers[tensor])

    def _spatial(self, at: int) -> bool:
        network, node = self.network, self.network.nodes[at]
        rank = len(network.shapes.get(node.input[0], ()))
        axes = network.attribute(at, "axes", None)
        if len(node.input) > 1 and node.input[1] in network.constants:
            axes = network.constants[node.input[1]].tolist()
        return rank == 4 and isinstance(axes, list) and {axis % rank for axis in axes} == {2, 3}

    def _region(self, at: int) -> Region | None:
        """The table that begins with a node."""
        for name in self.network.computed(at):
            region = self.regions.get(name)
            if region is not None and at in region.nodes:
                return region
        return None

    def _channels(self, tensor: str) -> int:
        """Channels of a tensor; 0 if they aren't known."""
        shape = self.network.shapes.get(tensor, ())
        return shape[channel_axis(len(shape))] if len(shape) > 1 else 0

    def _affine(self, at: int, channels: int = 0) -> bool:
        """Whether a node gives factors or sums by channel, or different slopes below 0."""
        network, node = self.network, self.network.nodes[at]
        channels = channels or self._channels(node.output[0])
        rank = len(network.shapes.get(node.output[0], ()))
        rest = [network.constants[name] for name in node.input if name in network.constants]
        if node.op_type not in _AFFINE | {"PRelu"} or not rest or len(rest) + 1 < len(node.input):
            return False
        if node.op_type == "BatchNormalization":
            return all(data.shape == (channels,) for data in rest)
        # Constants are broadcast from the last axis on.
        axis = channel_axis(rank) - rank
        return all(data.size == 1 or (data.size == channels and data.ndim >= -axis
                                      and data.shape[axis] == channels) for data in rest) and not (
            node.op_type == "Div" and node.input[0] in network.constants) and not (
            node.op_type == "PRelu" and (rest[0] < 0).any())

    def _behind(self, at: int, channels: int) -> str:
        """The point that a product gives: behind factors by channel and a clamp."""
        network, tensor = self.network, self.network.nodes[at].output[0]
        while (reader := network.only_reader(tensor)) is not None and tensor not in self.regions:
            node = network.nodes[reader]
            if node.op_type == "PRelu" or not self._affine(reader, channels) or (
                    node.name in self.exclude):
                break
            self.found.quantized.add(reader)
            self.done.add(reader)
            tensor = node.output[0]
        return self._clamped(tensor, at)

    def _clamped(self, tensor: str, at: int) -> str:
        """The tensor behind a clamp that is the only one to read it."""
        network = self.network
        reader = network.only_reader(tensor)
        if reader is None or network.nodes[reader].op_type not in _CLAMPS or (
                len(network.computed(reader)) != 1 or tensor in self.regions):
            return tensor
        self.found.quantized.add(reader)
        self.done.add(reader)
        return network.nodes[reader].output[0]

    def _take(self, at: int, end: str, *, product: bool = False) -> None:
        """A node and its points."""
        given = self.network.computed(at)
        self.found.quantized.add(at)
        self.found.points += [*(given[:1] if product else given), end]
        self.found.own.add(end)
        if product:
            self.found.products[end] = at

    def _take_region(self, region: Region) -> None:
        self.found.points += [region.start, region.end]
        self.found.own.add(region.end)
        self.found.quantized |= set(region.nodes)
        self.done |= set(region.nodes)
        self.found.regions[region.start] = region

    def _keep(self, at: int) -> None:
        node = self.network.nodes[at]
        source = node.input[0]
        self.found.quantized.add(at)
        self.found.points.append(source)
        for name in node.output:
            if name and name in self.network.readers:
                self.found.points.append(name)
                self.found.own.add(name)
                self.found.shared.append((source, name))


def place(network: Network, exclude: frozenset[str] = frozenset()) -> Placement:
    """Say where a network becomes int8.

    Parameters
    ----------
    network : Network
    exclude : frozenset of str
        Names of nodes that stay float.
    """
    return _Placer(network, exclude).run()
