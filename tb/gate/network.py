"""A network small enough for a netlist that has something of everything the chip computes."""

import numpy as np

from golden import executor
from golden.attributes import AveragePool, Conv2D, MaxPool
from golden.spec.config import Config
from golden.spec.isa import INSTRUCTION_BYTES, Opcode, Target, decode
from golden.spec.program import ChipStep, Program
from golden.weights import unpack
from sw.compiler import compile_graph
from tb.lib.graph_builder import Builder

__all__ = ["GateNetwork", "block_sizes"]


class GateNetwork:
    """Padded, strided and depthwise convolution, residual sum, both kinds of pooling, fully
    connected; blocks of every N.

    Parameters
    ----------
    config : Config

    Members
    -------
    program : Program
    inputs, expected : dict of str to ndarray
    """

    def __init__(self, config: Config) -> None:
        built = _Net((1, 6, 5, 6))
        group = config.group
        first = built.sparse(built.graph.inputs[0], 2 * group, group, window=3, pad=1)
        second = built.sparse(first, 2 * group, group, window=3, pad=1)
        joined = built.sum(second, first)
        strided = built.sparse(joined, 3 * group - 1, group, window=2, stride=2)
        deep = built.depthwise(strided, (3, 3), pads=(1, 1, 1, 1))
        least = built.add(MaxPool(window=(2, 2), stride=(1, 1)), deep)
        mean = built.add(AveragePool(window=(2, 1), stride=(1, 1)), least)
        depth = int(np.prod(built.graph.tensors[mean].shape))
        built.finish(built.fc(mean, depth, 5), built.clamp(joined), strided)
        self.inputs = built.inputs
        self.program = compile_graph(built.graph, config)
        results = executor.run(built.graph, built.inputs)
        self.expected = {name: results[name] for name in built.graph.outputs}


class _Net(Builder):
    def sparse(self, name, outputs, group, window, **where):
        """A convolution whose blocks have N = 0 to ``group`` in turn, the last lane block none."""
        output = self.conv(name, outputs, window, **where)
        node = self.graph.nodes[-1]
        assert isinstance(node.attrs, Conv2D)
        kernel, kept = node.attrs.kernel, 0
        for o in range(0, outputs, group):
            for place in np.ndindex(kernel.shape[1:3]):
                for i in range(0, kernel.shape[3], group):
                    kernel[(slice(o, o + group), *place, slice(i + kept, i + group))] = 0
                    kept = (kept + 1) % (group + 1)
        kernel[outputs - 1 - (outputs - 1) % group:] = 0
        return output


def block_sizes(config: Config, program: Program) -> set[int]:
    """N of every block in a program's weight streams."""
    found, raw = set(), program.constants
    for step in program.steps:
        if not isinstance(step, ChipStep):
            continue
        for at in range(step.offset, step.offset + step.bytes, INSTRUCTION_BYTES):
            opcode, fields = decode(raw[at:at + INSTRUCTION_BYTES])
            if opcode == Opcode.LOAD and fields["target"] == Target.WEIGHTS:
                stream = raw[fields["address"]:fields["address"] + fields["run_bytes"]]
                found |= {len(block.values) for lane_block in unpack(config, stream)
                          for block in lane_block.blocks}
    return found
