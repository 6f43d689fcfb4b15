"""Conv, Gemm and MatMul with constant weights, and what scales or shifts their results."""

import numpy as np

from golden.attributes import Conv2D, DepthwiseConv2D, FullyConnected
from golden.graph import Quant
from golden.transposed import TransposedConv2D
from sw.frontend.onnx.layout import canonical, plain
from sw.frontend.onnx.origin import Bias, Place, Weights
from sw.frontend.onnx.product import Geometry, Product, product
from sw.frontend.onnx.quantization import weight_codes
from sw.frontend.onnx.values import Average, Constant, Placed, Real, Value
from sw.frontend.onnx.view import View
from sw.frontend.onnx.windows import PADDINGS, windows

__all__ = ["as_product", "batch_normalization", "bias_of", "channel_vector", "conv",
           "conv_transpose", "convolution", "gemm", "matmul", "matrix_product"]


# Inputs and weights of a product that takes over the average before it.
LARGEST_SOURCE, LARGEST_WIDENED = 1 << 14, 1 << 22
ONE = 1 << 6  # a weight that leaves its channel as it is: biases have steps so much finer


def bias_of(view: View, position: int, channels: int) -> Bias:
    """Real bias of each channel; zeros if left out."""
    if not view.has(position):
        return Bias(np.zeros(channels))
    constant = view.constant(position, "bias")
    # Exact where the file's bias is integers with a scale.
    values = constant.data.astype(np.float64) if constant.codes is None else (
        constant.codes.values * constant.codes.scales)
    if values.size not in (1, channels) or values.shape[-1:] not in ((), (1,), (channels,)):
        raise view.fail(f"bias has shape {list(values.shape)}, must be 1 or {channels} values")
    if not np.isfinite(values).all():
        raise view.wrong("bias holds NaN or infinity")
    values = np.broadcast_to(values.ravel(), (channels,)).copy()
    return Bias(values, _place(constant, values))


def _place(constant: Constant, reals: np.ndarray) -> Place | None:
    """Where a constant has a number for each channel."""
    if constant.origin is None or constant.data.size != reals.size:
        return None
    codes = constant.codes
    steps = None if codes is None else np.broadcast_to(codes.scales, reals.shape)
    return Place(constant.origin.moved(np.ravel), reals, steps, np.ones(reals.shape))


def convolution(view: View, source: Real, own: Quant, weights: Weights, bias: Bias) -> Product:
    """Convolution of a real with an integer kernel (O, I / groups, y, x)."""
    kernel = weights.values
    if kernel.ndim != 4 or not kernel.size:
        raise view.fail(f"weights have shape {list(kernel.shape)}; accepted are 4 axes (outputs, "
                        "inputs, rows, columns)")
    at = windows(view, source.shape, kernel.shape[2:])
    groups, channels = int(view.attribute("group", 1)), source.shape[1]
    outputs = kernel.shape[0]
    if groups < 1 or kernel.shape[1] * groups != channels or outputs % groups:
        raise view.fail(f"weights {list(kernel.shape)} in {groups} groups don't fit {channels} "
                        "input channels")
    shape = (1, outputs, *at.size)
    settings = {"window": at.window, "stride": at.stride, "dilation": at.dilation,
                "pads": at.pads}
    depthwise = groups == channels > 1
    geometry = Geometry(
        DepthwiseConv2D if depthwise else Conv2D,
        settings | ({"channel_multiplier": outputs // channels} if depthwise
                    else {"groups": groups}),
        lambda data: data.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1)),
        lambda: view.feature_map(source, own), canonical(shape))
    return product(Product(shape, None, _unmade, view=view, geometry=geometry, input=own,
                           kernel=kernel, scales=weights.scales, bias=bias,
                           origin=weights.origin))


def matrix_product(view: View, source: Real, own: Quant, weights: Weights, bias: Bias) -> Product:
    """Rows of a real times an integer kernel (outputs, depth)."""
    kernel, scales, origin = weights.values, weights.scales, weights.origin
    if kernel.ndim != 2 or not kernel.size:
        raise view.fail(f"weights have shape {list(kernel.shape)}; accepted are 2 axes")
    outputs, depth = kernel.shape
    if len(source.shape) < 2 or source.shape[-1] != depth:
        raise view.fail(f"input has shape {list(source.shape)}, must be rows of {depth} values")
    single, shape = source.shape == (1, depth), (*source.shape[:-1], outputs)

    if single and source.average is not None:
        # Both are linear: one sum over the averages' members, and no rounding in between.
        members = source.average.members
        if members is not None and _can_widen(source.average, members, outputs):
            source = source.average.source
            wide = np.zeros((outputs, int(np.prod(source.shape))), kernel.dtype)
            wide[:, members.ravel()] = np.repeat(kernel, members.shape[1], axis=1)
            kernel, scales, origin = wide, scales / members.shape[1], None

    def ordered() -> Placed:
        placed = view.kept(source, own)
        return placed if single else view.arranged(placed, source.shape, plain(source.shape))

    def finish(data: np.ndarray) -> np.ndarray:
        # A flattened feature map is read as it lies, channels last.
        return data[:, source.place(own).stored.ravel()] if single else data

    geometry = Geometry(FullyConnected, {"keep_dims": len(shape) > 2}, finish, ordered,
                        plain(shape))
    return product(Product(shape, None, _unmade, view=view, geometry=geometry, input=own,
                           kernel=kernel, scales=scales, bias=bias, origin=origin))


def _can_widen(average: Average, members: np.ndarray, outputs: int) -> bool:
    """Few enough weights, and each of one average only."""
    size = int(np.prod(average.source.shape))
    return (size <= LARGEST_SOURCE and size * outputs <= LARGEST_WIDENED
            and np.unique(members).size == members.size)


def _unmade(*_: object) -> Placed:
    raise AssertionError("a product has its promise from product()")


def conv(view: View) -> Value:
    """Conv.

    2-D, constant weights; groups, depthwise, strides, dilations, pads, auto_pad.

    Runs on the chip.
    """
    weights = weight_codes(view, 1, 0)
    return convolution(view, view.real(0), view.own(0), weights,
                       bias_of(view, 2, len(weights.scales)))


def conv_transpose(view: View) -> Value:
    """ConvTranspose.

    2-D, constant weights with one scale or one an output channel (of a group); groups,
    strides, pads, auto_pad, output_padding, output_shape; dilations 1.

    Runs on the chip: a convolution for each row of a block as large as the stride.
    """
    source, groups = view.real(0), int(view.attribute("group", 1))
    weights = weight_codes(view, 1, 1)  # (inputs, outputs / groups, rows, columns)
    given = weights.values.shape
    if len(given) != 4 or len(source.shape) != 4 or groups < 1 or given[0] != source.shape[1] \
            or given[0] % groups:
        raise view.fail(f"weights {list(given)} in {groups} groups, input {list(source.shape)}; "
                        "accepted are 4 axes each and as many input channels in both")
    if any(step != 1 for step in view.attribute("dilations", (1, 1))):
        raise view.fail(f"dilations {view.attribute('dilations', ())}, must be 1")
    outputs = given[1] * groups

    def turned(data: np.ndarray) -> np.ndarray:
        parts = data.reshape(groups, given[0] // groups, *given[1:])
        return parts.transpose(0, 2, 1, 3, 4).reshape(outputs, -1, *given[2:])

    stride = tuple(view.attribute("strides", (1, 1)))
    pads = _transposed_pads(view, source.shape[2:], given[2:], stride)
    size = [(length - 1) * step + extent - pads[2 * axis] - pads[2 * axis + 1]
            for axis, (length, step, extent) in enumerate(zip(
                source.shape[2:], stride, given[2:], strict=True))]
    if min(size) < 1 or min(pads[0], pads[2]) < 0:
        raise view.fail(f"pads {pads} (top, bottom, left, right) of {size} pixels; accepted are "
                        "at least 0 at the top and on the left, and at least one pixel left")
    own, shape = view.own(0), (1, outputs, *size)
    geometry = Geometry(
        TransposedConv2D, {"stride": stride, "pads": pads, "groups": groups},
        lambda data: data.transpose(0, 2, 3, 1), lambda: view.feature_map(source, own),
        canonical(shape))
    return product(Product(
        shape, None, _unmade, view=view, geometry=geometry, input=own,
        kernel=turned(weights.values), scales=np.tile(weights.scales, groups),
        bias=bias_of(view, 2, outputs), origin=weights.origin and weights.origin.moved(turned)))


def _transposed_pads(view: View, size: tuple[int, ...], window: tuple[int, ...],
                     stride: tuple[int, ...]) -> tuple[int, ...]:
    """(top, bottom, left, right) that are cut off; below 0 they are added."""
    stated, padding = view.attribute("pads", (0, 0, 0, 0)), view.attribute("auto_pad", "NOTSET")
    added = view.attribute("output_padding", (0, 0))
    wanted = view.attribute("output_shape", None)
    if [len(item) for item in (stride, stated, added)] != [2, 4, 2] or padding not in PADDINGS or (
            wanted is not None and len(wanted) < 2):
        raise view.fail(f"strides {stride}, pads {stated}, output_padding {added}, output_shape "
                        f"{wanted}, auto_pad {padding}; accepted are 2, 4, 2 and 2 numbers, and "
                        f"{', '.join(PADDINGS)}")
    if wanted is None and padding.startswith("SAME"):
        wanted = tuple(length * step for length, step in zip(size, stride, strict=True))
    found: list[int] = []
    for axis in range(2):
        before, after = (0, 0) if padding == "VALID" else (stated[axis], stated[2 + axis])
        if wanted is not None:
            total = stride[axis] * (size[axis] - 1) + added[axis] + window[axis] \
                - wanted[len(wanted) - 2 + axis]
            before = total // 2 if padding == "SAME_UPPER" else total - total // 2
            after = total - before
        found += [before, after - added[axis]]
    return tuple(found)


def gemm(view: View) -> Value:
    """Gemm.

    Constant weights of 2 axes, transA 0, alpha, beta, transB.

    Runs on the chip.
    """
    if view.attribute("transA", 0):
        raise view.fail("transA 1, must be 0")
    turned = bool(view.attribute("transB", 0))
    weights = weight_codes(view, 1, 0) if turned else weight_codes(view, 1, 1).turned
    outputs = len(weights.scales)
    alpha, beta = float(view.attribute("alpha", 1.0)), float(view.attribute("beta", 1.0))
    if len(view.real(0).shape) != 2:
        raise view.fail(f"input has shape {list(view.real(0).shape)}, must have 2 axes")
    found = matrix_product(view, view.real(0), view.own(0), weights, Bias(np.zeros(outputs)))
    bias = bias_of(view, 2, outputs).affine(np.full(outputs, beta), Bias(np.zeros(outputs)))
    return found.affine(np.full(outputs, alpha), bias)


def matmul(view: View) -> Value:
    """MatMul.

    Constant weights of 2 axes behind rows of any number of axes.

    Runs on the chip.
    """
    constant = view.constant(1, "second operand")
    if constant.data.ndim != 2:
        raise view.fail(f"weights have shape {list(constant.shape)}; accepted are 2 axes")
    weights = weight_codes(view, 1, 1).turned
    return matrix_product(view, view.real(0), view.own(0), weights,
                          Bias(np.zeros(len(weights.scales))))


def as_product(view: View, source: Real) -> Product:
    """A real as itself, or as a convolution that leaves its channels as they are."""
    if isinstance(source, Product):
        return source
    if source.own is None or len(source.shape) < 2:
        raise view.fail(f"a constant with one number a channel is accepted behind Conv, Gemm and "
                        f"MatMul, and with quantized tensors of 2 axes or more; this is "
                        f"{list(source.shape)}{'' if source.own else ' and not quantized'}")
    own, order = source.own, canonical(source.shape)
    channels = order.shape[-1]
    order = order.reshape(order.shape if order.ndim == 4 else (1, 1, -1, channels))

    def pixels() -> Placed:
        placed = view.feature_map(source, own)
        return Placed(view.build.reshaped(view.name, placed.tensor, order.shape), order)

    geometry = Geometry(DepthwiseConv2D, {"window": (1, 1)},
                        lambda data: data.transpose(1, 2, 3, 0), pixels, order)
    return product(Product(
        source.shape, None, _unmade, view=view, geometry=geometry, input=own,
        kernel=np.full((channels, 1, 1, 1), ONE), scales=np.full(channels, 1 / ONE),
        bias=Bias(np.zeros(channels)), origin=None))


def channel_vector(found: Real, constant: Constant) -> Bias | None:
    """A constant as one number a channel of a real; None if it is anything else."""
    rank, axis = len(found.shape), 1 if len(found.shape) == 4 else len(found.shape) - 1
    if rank == 0:
        return None
    sizes = (1,) * (rank - constant.data.ndim) + constant.shape
    channels = found.shape[axis]
    if len(sizes) != rank or any(size != 1 for at, size in enumerate(sizes) if at != axis) \
            or sizes[axis] not in (1, channels):
        return None
    values = np.broadcast_to(constant.data.astype(np.float64).ravel(), (channels,)).copy()
    return Bias(values, _place(constant, values))


def batch_normalization(view: View) -> Value:
    """BatchNormalization; a convolution or product before it takes it over.

    Constant statistics; behind a product, or of a quantized tensor.

    Runs on the chip: in the product before it, or as a convolution of each channel.
    """
    found = as_product(view, view.real(0))
    if view.attribute("training_mode", 0):
        raise view.fail("training_mode 1, must be 0")
    gamma, beta, mean, variance = (view.constant(at, "statistics").data.astype(np.float64)
                                   for at in range(1, 5))
    with np.errstate(all="ignore"):  # what they give is looked at below
        factor = gamma / np.sqrt(variance + float(view.attribute("epsilon", 1e-5)))
    channels = found.bias.values.size
    if factor.shape != (channels,) or not np.isfinite(factor).all():
        raise view.fail(f"statistics of shape {list(factor.shape)} for {channels} channels, or not "
                        "finite")
    place = _place(view.constant(2, "statistics"), beta)
    return found.affine(factor, Bias(beta - mean * factor, place))
