"""Products of two computed tensors: of a feature map and a value for each of its channels."""

from golden.attributes import Reshape
from golden.broadcast import Multiply
from golden.graph import Node
from sw.compiler.gate import gate_of, gate_taps
from sw.compiler.lowering import Lowering
from sw.compiler.window import LayerTensor, WindowOp

__all__ = ["multiply"]


def multiply(net: Lowering, node: Node) -> None:
    """A convolution of each channel whose weights are computed."""
    attrs = node.attrs
    assert isinstance(attrs, Multiply)
    given = [net.graph.tensors[name] for name in node.inputs]
    sides = [side for side in (1, 0) if given[side].shape[-1:] == given[1 - side].shape[-1:]
             and set(given[side].shape[:-1]) <= {1}]
    if not sides or any(tensor.data is not None for tensor in given):
        net.leave(node, f"a product of {list(given[0].shape)} and {list(given[1].shape)}; the chip "
                        "has one of a computed feature map and one computed value a channel")
        return
    main, side = 1 - sides[0], sides[0]
    source, output = net.plain(node.inputs[main]), net.tensor(node.outputs[0])
    zeros = attrs.input_zeros[main], attrs.input_zeros[side]
    gate = gate_of(net.config, f"{node.name}@values", source, zeros)
    if isinstance(gate, str):
        net.leave(node, gate)
        return
    values = _values(net, node, node.inputs[side], gate.tensor)
    op = net.emit(node, [source], output, gate_taps(net.config, source.channels), net.uniform_post(
        source.channels, attrs.scale, zeros[0] * zeros[1], attrs.output_zero, attrs.least,
        attrs.most), pad_value=gate.value)
    op.gate, values.values = gate, True


def _values(net: Lowering, node: Node, name: str, wanted: str) -> LayerTensor:
    """The tensor that is stored into the weights: what computes it writes it there, or a copy."""
    source = net.plain(name)
    values = LayerTensor(wanted, 1, 1, source.channels, source.scale, source.zero_point)
    net.out.tensors[wanted] = values
    root = net.root.get(name, name)
    same = {tensor for tensor in net.graph.tensors if net.root.get(tensor, tensor) == root}
    users = [user for tensor in same for user in net.graph.consumers(tensor)
             if not (isinstance(user.attrs, Reshape) and user.outputs[0] in same)]
    writers = [net.out.ops[index] for index in net.writers(root)]
    if (users == [node] and not same.intersection(net.graph.outputs) and writers
            and source.name == root and not source.bytes_in_dram
            and all(isinstance(op, WindowOp) and op.output == root for op in writers)):
        del net.out.tensors[root]
        for op in writers:
            assert isinstance(op, WindowOp)
            op.output = wanted
        return values
    op = net.identity(node, [source], values)
    op.operator += " values"
    return values
