"""Cocotb tests of the sequencer: fetch, dispatch, queues, semaphores, SYNC and END."""

import cocotb

from golden.spec import isa
from hw.control.sequencer import units_of
from hw.interfaces import RETIRE
from tb.cocotb.bench import BlockBench
from tb.cocotb.blocks import CONFIG
from tb.unit.control.bench import check, random_program

LONGEST = 20  # cycles for an instruction


class Program:
    """The read master's end of the fetch: beats of a program, in order."""

    def __init__(self, bench, address, image):
        self.run, self.beat = bench.streams["read.run"], bench.streams["read.beat"]
        self.address, self.image = address, image

    def step(self):
        if self.run.moved:
            first, beats = self.run.fields["addr"] - self.address, self.run.fields["beats"]
            size = beats * CONFIG.group
            assert beats and 0 <= first and first + size <= len(self.image), "outside the program"
            self.beat.pending.extend(
                {"data": int.from_bytes(self.image[at:at + CONFIG.group], "little"), "resp": 0,
                 "last": at == first + size - CONFIG.group}
                for at in range(first, first + size, CONFIG.group))


class Unit:
    """Takes instructions, works on each for a while, retires them in order.

    Parameters
    ----------
    bench : BlockBench
    name : str
    events : list
        Gets (event, name, fields), as ``check`` wants them.
    depth : int
        Instructions it holds at most.
    """

    def __init__(self, bench, name, events, depth):
        self.name, self.events, self.depth = name, events, depth
        self.instruction = bench.streams[f"{name}.instruction"]
        self.retire, self.busy = bench.pin(f"{name}.retire"), bench.pin(f"{name}.busy")
        self.rng, self.active, self.retiring = bench.stalls.rng, [], None

    def step(self):
        if self.retiring:  # it was in this cycle
            self.events.append(("retire", self.name, self.retiring))
            self.retiring = None
        if self.instruction.moved:
            raw = self.instruction.fields
            opcode, fields = isa.decode(raw.to_bytes(isa.INSTRUCTION_BYTES, "little"))
            fields |= {"opcode": opcode, "raw": raw}
            self.active.append([self.rng.randint(1, LONGEST), fields])
            self.events.append(("take", self.name, fields))
            assert len(self.active) <= self.depth
        if self.active:
            self.active[0][0] -= 1
        self.busy.value = int(bool(self.active))
        if self.active and self.active[0][0] <= 0:
            self.retiring = self.active.pop(0)[1]
        bits = RETIRE.const({"valid": 1, "post": self.retiring["post"]}) if self.retiring else None
        self.retire.value = bits.as_bits() if bits is not None else 0


@cocotb.test()
@cocotb.parametrize(seed=range(4), length=[1, 40])
async def programs_run_in_order(dut, seed, length):
    bench = BlockBench(dut, "sequencer", f"{seed} {length}")
    rng = bench.rng
    events, address = [], isa.INSTRUCTION_BYTES * rng.randrange(1 << 24)
    program = random_program(CONFIG, rng, length)
    # What lies behind END must not matter.
    image = b"".join(program) + rng.randbytes(isa.INSTRUCTION_BYTES * rng.choice((0, 5)))
    units = [Unit(bench, name, events, depth=2) for name in
             (unit.name.lower() for unit in units_of(CONFIG))]
    await bench.power_on(Program(bench, address, image), *units)
    for name, value in (("program_address", address), ("program_bytes", len(image)), ("start", 1)):
        bench.pin(name).value = value
    await bench.idle(1)
    bench.pin("start").value = 0
    await bench.idle(1)
    assert bench.get("running")
    await bench.until(lambda: not bench.get("running"))
    await bench.idle(20)
    check(CONFIG, program, events, f"{bench.place}, length {length}")
    assert not bench.get("fault")["valid"], f"{bench.place}: in error"
    assert bench.get("fetched") == len(program), f"{bench.place}: {bench.get('fetched')} fetched"
    assert not any(bench.get("queued").values()), f"{bench.place}: something is left in a queue"
