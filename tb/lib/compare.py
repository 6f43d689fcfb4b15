"""One program on several engines, from equal memory; what must be equal afterwards."""

import numpy as np

from golden import executor
from golden.spec.config import Config
from golden.spec.registers import Region
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.driver.transport import Transport
from tb.lib.random_graphs import RandomGraph

__all__ = ["check_graph", "run_from_clean_memory"]


def run_from_clean_memory(transport: Transport, program, inputs: dict[str, np.ndarray]):
    """(result, every byte of DRAM that the program may touch but its log)."""
    size = sum(-(-max(program.region_bytes(region), 1) // 4096) * 4096 for region in Region)
    transport.write(0, bytes(size))
    device = Device(transport)
    device.load(program)
    result = device.run(inputs)
    memory = bytearray(transport.read(0, size))
    base = device.bases[Region.LOG]
    memory[base:base + program.region_bytes(Region.LOG)] = bytes(
        program.region_bytes(Region.LOG))
    return result, bytes(memory)


def check_graph(config: Config, drawn: RandomGraph, rtl: Transport, machine: Transport | None,
                *, dense: bool = False) -> tuple[int, int]:
    """Hold golden = rtl (= machine, in every byte of memory); (rtl cycles, machine cycles)."""
    expected = executor.run(drawn.graph, drawn.inputs)
    program = compile_graph(drawn.graph, config, dense=dense)
    found, memory = run_from_clean_memory(rtl, program, drawn.inputs)
    for name in drawn.graph.outputs:
        wrong = np.count_nonzero(found.outputs[name] != expected[name])
        assert not wrong, (f"{drawn.graph.name} on {config.name}: {wrong} of "
                           f"{expected[name].size} bytes of {name} differ\n{drawn.graph}")
    if machine is None:
        return found.cycles, 0
    told, same = run_from_clean_memory(machine, program, drawn.inputs)
    if memory == same:
        return found.cycles, told.cycles
    different = [i for i, (a, b) in enumerate(zip(memory, same, strict=True)) if a != b]
    assert not different, (f"{drawn.graph.name} on {config.name}: machine and rtl differ in "
                           f"{len(different)} bytes of memory from {different[0]:#x}")
    return found.cycles, told.cycles
