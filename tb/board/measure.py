"""What a board does at its own clock and rate: cycles of networks, share of the serial line."""

import random

import numpy as np

from fpga.boards import board as board_by_name
from golden.spec.config import preset
from hw.link.baud import LEAST_CYCLES
from hw.sdram.timing import PARTS
from sw.driver.device import Device
from sw.driver.link import LINE_BITS
from sw.driver.link_transport import LinkTransport
from sw.engines.machine import MachineTransport
from sw.session import compiled, open_model
from tb.board.board import SimulatedBoard

__all__ = ["measure_line", "measure_networks"]

USB_LATENCY = 1e-3  # seconds each way
TRANSFER = 1 << 16  # bytes


def measure_networks(name, networks, tell):
    """Cycles on the simulated board and as the machine engine predicts them.

    The serial line is as fast as the link can; the chip's cycles don't depend on it.

    Parameters
    ----------
    name : str
        Board.
    networks : sequence of str
        Of the zoo.
    tell : callable

    Returns
    -------
    list of dict
    """
    found = board_by_name(name)
    chip, part = preset(found.presets[0]), PARTS[found.sdram]
    hz = round(found.clock_mhz * 1e6)
    tell(f"{name}: building the simulator of {chip.name}")
    board = SimulatedBoard(chip, part, clock_hz=hz, baud=hz // LEAST_CYCLES)
    rows = []
    for network in networks:
        tell(f"{name}: {network}")
        model = open_model(network)
        program = compiled(model, chip)
        inputs = {item.name: np.random.default_rng(1).integers(-128, 128, item.shape).astype(
            item.dtype) for item in program.inputs}
        predicted = _cycles(MachineTransport(chip, memory_bytes=part.size), program, inputs)
        transport = LinkTransport(board, clock=board, config=chip)
        measured = _cycles(transport, program, inputs)
        rows.append({"network": network, "cycles": measured[0], "predicted": predicted[0],
                     "difference_percent": round(100 * (measured[0] / predicted[0] - 1), 2),
                     "outputs_equal": all((measured[1][key] == value).all()
                                          for key, value in predicted[1].items()),
                     "dram_bytes": chip.dram_bytes, "dram_latency": chip.dram_latency,
                     "clock_mhz": found.clock_mhz, "sdram_violations": board.violations})
        tell(f"{name}: {rows[-1]}")
    board.close()
    return rows


def measure_line(name, tell):
    """Payload against the rate of the line, in long writes and reads of random bytes."""
    found = board_by_name(name)
    tell(f"{name}: building the simulator at {found.baud} baud")
    board = SimulatedBoard(preset(found.presets[0]), PARTS[found.sdram], baud=found.baud,
                           clock_hz=round(found.clock_mhz * 1e6), latency=USB_LATENCY)
    chip = LinkTransport(board, clock=board)
    data = random.Random(1).randbytes(TRANSFER)
    tell(f"{name}: writing and reading {TRANSFER} bytes")
    start = board()
    chip.write(0, data)
    middle = board()
    same = chip.read(0, TRANSFER) == data
    ideal = LINE_BITS * TRANSFER / found.baud
    row = {"baud": found.baud, "bytes": TRANSFER, "usb_latency_ms": 1e3 * USB_LATENCY,
           "write_share": round(ideal / (middle - start), 4),
           "read_share": round(ideal / (board() - middle), 4),
           "bytes_equal": same, "sdram_violations": board.violations}
    tell(f"{name}: {row}")
    board.close()
    return row


def _cycles(transport, program, inputs):
    """(cycles, outputs) of one run."""
    device = Device(transport)
    device.load(program)
    result = device.run(inputs)
    return result.cycles, result.outputs
