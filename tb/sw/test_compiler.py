"""The compiler as a whole: programs that give the executor's bytes, and what they tell."""

import re

import numpy as np
import pytest

from golden import executor
from golden.attributes import (
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    MaxPool,
    Mean,
    Pad,
    Reshape,
)
from golden.graph import Quant, Tensor
from golden.spec.config import preset
from golden.spec.isa import INSTRUCTION_BYTES, Opcode, Target, decode
from golden.spec.numerics import IDENTITY, quantize_multiplier
from golden.spec.program import ChipStep, HostStep
from golden.spec.registers import Region
from sw.compiler import compile_graph
from sw.compiler.lower import lower
from sw.engines.machine import MachineTransport
from sw.errors import ModelError
from sw.session import open_model
from tb.lib.compare import check_graph, run_from_clean_memory
from tb.lib.graph_builder import Builder
from tb.lib.quick import quick
from tb.lib.random_networks import RandomNetwork

TINY, BASE = preset("tiny"), preset("base")
MEMORY = 1 << 22


def check(built, config=TINY, **options):
    """Bit-exact on the machine; the program."""
    check_graph(config, built, MachineTransport(config, memory_bytes=MEMORY), None, **options)
    return compile_graph(built.graph, config, **options)


def operators(built, config=TINY):
    return [op.operator for op in lower(built.graph, config).ops]


@pytest.mark.parametrize("config", [TINY, TINY.replace(bank_words=64), BASE,
                                    BASE.replace(bank_words=16, weight_rows=64)],
                         ids=["tiny", "tiny starved", "base", "base starved"])
@pytest.mark.parametrize("first", quick(1, *range(0, 40, 10)))
def test_random_networks(config, first):
    """Branches, views, host operators and several outputs in all combinations."""
    refused = 0
    for seed in range(first, first + 10):
        drawn = RandomNetwork(seed, config.lanes)
        try:
            check_graph(config, drawn, MachineTransport(config, memory_bytes=MEMORY), None,
                        dense=seed % 4 == 3)
        except ModelError as error:
            assert "not even one output pixel fits" in str(error), seed
            refused += 1
    assert refused <= 1


WIDE = {
    "average": lambda b: b.add(AveragePool(window=(9, 5)), "t0"),
    "max": lambda b: b.add(MaxPool(window=(8, 5)), "t0"),
    "mean": lambda b: b.add(Mean(axes=(1, 2), keep_dims=True, input_zero=4, output_zero=5,
                                 scale=quantize_multiplier(1 / 45)), "t0"),
    "depthwise": lambda b: b.depthwise("t0", (8, 4)),
}


@pytest.mark.parametrize("kind", WIDE)
def test_wide_windows(kind):
    """Channels of a window that don't fit together are taken in turns, to and from all homes."""
    for channels in (64, 62):
        built = Builder((1, 9, 5, channels))
        inner = WIDE[kind](built)
        check(built.finish(inner), TINY)
        built.finish(built.conv(inner, 8))
        check(built, TINY)
        check(built, TINY.replace(bank_words=64), dense=True)
        assert len(lower(built.graph, TINY).ops) > 2 == len(lower(built.graph, BASE).ops)


def test_wide_pixels():
    """Pixels of more channels than the scratchpad holds: copies, sums, joins."""
    config = TINY.replace(bank_words=16)
    built = Builder((1, 3, 2, 290), (1, 3, 2, 290), (1, 3, 2, 7))
    total = built.sum(built.clamp("t0"), "t1")
    joined = built.add(Concat(axis=3), "t2", total, "t0")
    padded = built.add(Pad(pads=((0, 0), (1, 0), (0, 1), (3, 2)), value=11), joined)
    program = check(built.finish(total, padded), config)
    assert len({row["tag"] for row in program.layers}) == len(program.layers) > 12


def test_host_operators_between():
    """Steps on chip and host take turns, through DRAM; the sum tabulates what is clamped."""
    built = Builder((1, 6, 5, 8))
    hidden = built.conv("t0", 12, 3)
    weights = built.softmax(hidden)
    mixed = built.sum(built.conv(weights, 12), built.clamp(hidden))
    program = check(built.finish(built.softmax(mixed)))
    kinds = [type(step) for step in program.steps]
    assert kinds == [ChipStep, HostStep, ChipStep, HostStep]
    units = [(row["operator"], row["unit"]) for row in program.layers]
    assert units == [("Conv2D", "mac"), ("Softmax", "host"), ("Conv2D+Add", "mac"),
                     ("Softmax", "host")]
    assert all(row["why"] for row in program.layers if row["unit"] == "host")


def test_only_host_operators():
    built = Builder((1, 9))
    program = check(built.finish(built.softmax("t0")))
    assert [type(step) for step in program.steps] == [HostStep]


def test_residual_is_fused():
    built = Builder((1, 6, 6, 8))
    skip = built.conv("t0", 8)
    built.finish(built.sum(built.conv(skip, 8, 3, 1), skip))
    assert operators(built) == ["Conv2D", "Conv2D+Add"]
    check(built)
    check(built, TINY.replace(bank_words=16))


@pytest.mark.parametrize("case", ["same operand", "used elsewhere", "asked for", "strided"])
def test_residual_that_cannot_be_fused(case):
    built = Builder((1, 6, 6, 8))
    hidden = built.conv("t0", 8, 3, 1)
    if case == "same operand":
        outputs = [built.sum(hidden, hidden)]
    elif case == "strided":
        # A part of the sum's residual is no part of its producer's source.
        hidden = built.conv("t0", 8, 1)
        outputs = [built.sum(built.add(MaxPool(window=(1, 1)), hidden), built.clamp(hidden)),
                   hidden]
    else:
        outputs = [built.sum(hidden, "t0")]
        outputs.append(hidden if case == "asked for" else built.clamp(hidden))
    built.finish(*outputs)
    found = operators(built)
    assert ("Add" in found) == (case != "strided")
    check(built)
    check(built, TINY.replace(bank_words=16))


def test_residual_written_later_through_a_view():
    """A view's values are there when the operator has run whose bytes they are."""
    built = Builder((1, 4, 6, 8))
    early = built.conv("t0", 8, 3, 1)
    late = built.add(Reshape(to=(1, 4, 6, 8)),
                     built.add(Reshape(to=(1, 6, 4, 8)), built.clamp(built.clamp("t0"))))
    built.finish(built.sum(early, late))
    check(built)
    check(built, BASE)


def test_means_and_products_keep_their_geometry():
    """A column of pixels is not the row that its shape speaks of."""
    built = Builder((1, 5, 4, 6))
    column = built.add(Mean(axes=(2,), input_zero=0, output_zero=1,
                            scale=quantize_multiplier(0.25)), "t0")
    row = built.add(Mean(axes=(1,), input_zero=0, output_zero=1,
                         scale=quantize_multiplier(0.2)), "t0")
    rows = built.fc("t0", 6, 6)
    outputs = [built.clamp(column), built.add(Concat(axis=1), column, row),
               built.sum(column, built.clamp(column)), built.clamp(rows),
               built.conv(built.add(Reshape(to=(1, 5, 4, 6)), rows), 5, 3),
               built.conv(built.add(Reshape(to=(1, 2, 10, 6)), rows), 5, 2),
               built.add(Pad(pads=((0, 0), (1, 2), (0, 1)), value=7), column)]
    check(built.finish(*outputs))
    check(built, BASE)


def test_axes_that_are_not_rows_and_columns():
    """Of tensors with batches or more axes what isn't a rectangle is left to the host."""
    built = Builder((2, 3, 4, 5), (2, 3, 1, 5), (1, 2, 3, 4, 5))
    built.finish(built.add(Mean(axes=(1, 2), input_zero=0, output_zero=0,
                                scale=quantize_multiplier(1 / 12)), "t0"),
                 built.add(Mean(axes=(2,), input_zero=0, output_zero=0,
                                scale=quantize_multiplier(1 / 4)), "t0"),
                 built.add(Concat(axis=2), "t0", "t1"), built.add(Concat(axis=1), "t0", "t0"),
                 built.add(Concat(axis=2), "t2", "t2"),
                 built.add(Pad(pads=((0, 0), (1, 1), (0, 0), (0, 0)), value=3), "t0"))
    units = [row["unit"] for row in check(built).layers]
    assert units == ["host", "mac", "mac", "mac", "host", "host", "host"]


def test_padding_is_fused():
    built = Builder((1, 5, 6, 8))
    padded = built.add(Pad(pads=((0, 0), (1, 2), (2, 0), (0, 0)), value=3), "t0")
    built.finish(built.conv(padded, 6, 3))
    assert operators(built) == ["Conv2D"]
    check(built)
    padded = built.add(Pad(pads=((0, 0), (1, 2), (2, 0), (0, 0)), value=4), "t0")
    assert operators(built.finish(built.conv(padded, 6, 3))) == ["Conv2D", "Pad", "Conv2D"]
    check(built)


@pytest.mark.parametrize("bank_words", [16, 64, 1024])
def test_thin_inputs_are_gathered(bank_words):
    """A kernel row of a thin input is one word, loaded strip by strip with its padding."""
    config = BASE.replace(bank_words=bank_words)
    built = Builder((1, 40, 33, 3))
    first = built.conv("t0", 9, 5, 2, stride=2)
    built.finish(first, built.conv("t0", 7, 3, 1))
    gathered = [tensor for tensor in lower(built.graph, config).tensors.values() if tensor.gather]
    assert [tensor.channels for tensor in gathered] == [15, 9]
    check(built, config)


def instructions(program):
    """(opcode, fields) of every instruction."""
    return [decode(program.constants[place:place + INSTRUCTION_BYTES])
            for step in program.steps if isinstance(step, ChipStep)
            for place in range(step.offset, step.offset + step.bytes, INSTRUCTION_BYTES)]


def test_what_fits_stays_on_chip():
    """Nothing between the input and the output crosses to DRAM; strips need WORK memory."""
    built = Builder((1, 8, 8, 8))
    built.finish(built.conv(built.conv(built.conv("t0", 16), 16), 8))
    program = check(built, BASE)
    assert program.regions[Region.WORK] == 0
    stores = [fields for opcode, fields in instructions(program) if opcode == Opcode.STORE]
    assert {fields["region"] for fields in stores} == {Region.OUTPUT}
    assert check(built, TINY.replace(bank_words=16)).regions[Region.WORK] >= 2 * 8 * 8 * 16


def test_weights_stay_for_all_strips():
    """Small weights are loaded once for all tiles, large ones anew for each."""
    built = Builder((1, 20, 20, 8))
    built.finish(built.add(MaxPool(window=(3, 3)), built.conv("t0", 8, 3)))
    for rows, keeps in ((56, False), (4096, True)):
        config = TINY.replace(weight_rows=rows, list_entries=4096, parameter_beats=64)
        mine = [(opcode, fields) for opcode, fields in instructions(check(built, config))
                if fields.get("tag") == 0]
        loads = [fields for opcode, fields in mine
                 if opcode == Opcode.LOAD and fields["target"] == Target.WEIGHTS]
        passes = [fields for opcode, fields in mine if opcode == Opcode.MAC]
        assert len(passes) > 1
        assert (len(loads) == 1) == keeps
        assert not passes[-1]["keep"]


def test_equal_programs_for_equal_networks():
    graph = open_model("resnet8").graph
    programs = [compile_graph(graph, TINY) for _ in range(2)]
    for program in programs:
        assert program.info.pop("compile_seconds") > 0
    assert programs[0].to_bytes() == programs[1].to_bytes()


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("name", ["resnet8", "dscnn", "vww", "autoencoder"])
def test_networks(name, dense):
    """The bundled networks on base: bytes, and the rows that reports are made of."""
    model = open_model(name)
    graph, (spec,) = model.graph, model.inputs
    passes = []
    program = compile_graph(graph, BASE, dense=dense, progress=passes.append)
    sparse = ["dropping channels without effect", "ordering channels"]
    assert passes == [*sparse[2 * dense:], "lowering", "packing weights",
                      "planning memory", "emitting instructions"]
    data = np.random.default_rng(3).integers(-128, 128, spec.shape).astype(np.int8)
    result, _ = run_from_clean_memory(MachineTransport(BASE, memory_bytes=MEMORY), program, [data])
    expected = executor.run(graph, {spec.name: data})
    assert all(np.array_equal(result.outputs[key], expected[key]) for key in graph.outputs)
    assert [row["tag"] for row in program.layers] == list(range(len(program.layers)))
    assert {row["unit"] for row in program.layers} <= {"mac", "drp"}
    assert [record.tag for record in result.log] == [row["tag"] for row in program.layers]
    chip = [row for row in program.layers if row["unit"] == "mac"]
    ideal = sum(row["ideal_cycles"] for row in chip)
    assert ideal <= result.cycles <= 1.2 * ideal + 1000
    skipped = sum(row["macs_skipped"] for row in chip)
    assert 0 <= skipped < sum(row["macs"] for row in chip) and (not dense or not skipped)
    if not dense:
        assert result.cycles < 1.02 * sum(
            row["ideal_cycles"] for row in compile_graph(graph, BASE, dense=True).layers) + 3000


@pytest.mark.parametrize(("window", "stride"), [((300, 1), (1, 1)), ((1, 1), (64, 1))])
def test_refusals(window, stride):
    """What no host operator takes over is refused by name."""
    built = Builder((1, 400, 2, 4))
    kernel = np.ones((3, *window, 4), np.int8)
    built.finish(built.add(Conv2D(kernel=kernel, window=window, stride=stride,
                                  **built.weighted(3)), "t0"))
    with pytest.raises(ModelError) as caught:
        compile_graph(built.graph, BASE)
    assert str(caught.value) == (f"node 'n0' (Conv2D): window {window[0]}x{window[1]}, stride "
                                 f"{stride}; accepted are up to 256 and 63")


@pytest.mark.parametrize(("window", "stride"), [((300, 1), (1, 1)), ((1, 1), (64, 1))])
def test_pooling_beyond_the_instructions_goes_to_the_host(window, stride):
    built = Builder((1, 400, 2, 4))
    built.finish(built.add(MaxPool(window=window, stride=stride), "t0"))
    (row,) = compile_graph(built.graph, BASE).layers
    assert row["unit"] == "host" and "beyond 256 and 63" in row["why"]


def test_constant_operands_are_refused():
    built = Builder((1, 2, 2, 4))
    data = np.zeros((1, 2, 2, 4), np.int8)
    built.graph.add(Tensor("fixed", data.shape, "int8", Quant(0.1, 0), data))
    built.finish(built.sum("t0", "fixed"))
    with pytest.raises(ModelError, match=re.escape("tensor 'fixed' is a constant")):
        compile_graph(built.graph, TINY)


def test_scale_of_one():
    """IDENTITY is one: a copy of a copy is the input."""
    built = Builder((1, 3, 3, 5))
    clamp = Clamp(input_zero=0, scale=IDENTITY, output_zero=0)
    built.finish(built.add(clamp, built.add(clamp, "t0")))
    program = compile_graph(built.graph, TINY)
    result, _ = run_from_clean_memory(MachineTransport(TINY, memory_bytes=MEMORY), program,
                                      built.inputs)
    assert np.array_equal(result.outputs[built.graph.outputs[0]], built.inputs["t0"])
