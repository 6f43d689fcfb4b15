"""The device models: each rule reports what breaks it, and the Verilog agrees with the Python."""

import dataclasses
import random
import subprocess

import pytest
from amaranth.sim import Simulator

from hw.sdram.controller import SdramController
from hw.sdram.interface import Command
from hw.sdram.timing import PARTS
from tb.lib.axi_traffic import AxiTraffic
from tb.lib.sdram import (
    VERILOG,
    Pins,
    SdramDevice,
    SdramViolation,
    serve,
    verilog_parameters,
)

MHZ = 100
PART = dataclasses.replace(PARTS["any-32MiB-7"], rows=2048, columns=128, refresh_ms=16,
                           power_up=300)
NAMES = list(Pins.__annotations__)
ALL = 1 << 10
MODE = 0x33  # CAS latency 3, bursts of 8

# Legal to the edge: cycles and commands (bank, address), from the first one after power-up on.
START = [(0, "PRECHARGE", 0, ALL), (3, "REFRESH", 0, 0), (7, "REFRESH", 0, 0), (7, "MODE", 0, MODE),
         (2, "ACTIVATE", 1, 5), (3, "READ", 1, 16), (8, "PRECHARGE", 1, 0), (3, "ACTIVATE", 1, 6),
         (2, "ACTIVATE", 2, 7), (3, "WRITE", 2, 8), (9, "PRECHARGE", 2, 0), (3, "ACTIVATE", 2, 9),
         (5, "PRECHARGE", 0, ALL), (3, "REFRESH", 0, 0), (7, "ACTIVATE", 0, 1),
         (5, "PRECHARGE", 0, 0), (3, "ACTIVATE", 0, 2)]


def trace(script, *, first=30, extra=12):
    """Pins, edge by edge."""
    pins, at, writes = [], first, []
    for wait, name, bank, address in script:
        at += wait
        pins += [Pins() for _ in range(at + 1 - len(pins))]
        code = Command[name] if name != "STOP" else 0b110
        pins[at] = Pins(ras_n=code >> 2 & 1, cas_n=code >> 1 & 1, we_n=code & 1, ba=bank, a=address)
        if name == "WRITE":
            writes.append(at)
    pins += [Pins() for _ in range(extra)]
    for at in writes:
        for n in range(8):
            pins[at + n].dq_oe, pins[at + n].dq_o, pins[at + n].dqm = 1, 0x1100 * n + 7, n & 3
    return pins


def replaced(index, *entry):
    return [*START[:index], entry, *START[index + 1:]]


def sooner(index):
    wait, *rest = START[index]
    return replaced(index, wait - 1, *rest)


FAULTS = {
    "early command": (trace(START, first=29), "power_up"),
    "tRP before REFRESH": (trace(sooner(1)), "rp"),
    "tRFC": (trace(sooner(2)), "rfc"),
    "tRFC before MODE": (trace(sooner(3)), "rfc"),
    "tMRD": (trace(sooner(4)), "mrd"),
    "tRCD": (trace(sooner(5)), "rcd"),
    "read cut": (trace(sooner(6)), "wr"),
    "tRP": (trace(sooner(7)), "rp"),
    "tRRD": (trace(sooner(8)), "rrd"),
    "tRCD of a write": (trace(sooner(9)), "rcd"),
    "tWR": (trace(sooner(10)), "wr"),
    "tRAS": (trace(sooner(12)), "ras"),
    "MODE with a row open": (trace([*START[:5], (3, "MODE", 0, MODE)]), "state"),
    "REFRESH with a row open": (trace([*START[:5], (9, "REFRESH", 0, 0)]), "state"),
    "ACTIVATE of an open bank": (trace([*START[:5], (9, "ACTIVATE", 1, 4)]), "state"),
    "READ of a closed bank": (trace([*START[:5], (9, "READ", 2, 4)]), "state"),
    "automatic precharge": (trace(replaced(5, 3, "READ", 1, ALL)), "command"),
    "burst terminate": (trace([*START[:6], (4, "STOP", 0, 0)]), "command"),
    "burst interrupted": (trace([*START[:6], (7, "READ", 1, 8)]), "burst"),
    "MODE too early": (trace([START[0], START[1], (7, "MODE", 0, MODE)]), "initialization"),
    "REFRESH too early": (trace(START[1:]), "initialization"),
    "no MODE": (trace([*START[:3], (7, "ACTIVATE", 0, 0)]), "initialization"),
    "CAS latency 1": (trace(replaced(3, 7, "MODE", 0, 0x13)), "mode"),
    "interleaved bursts": (trace(replaced(3, 7, "MODE", 0, MODE | 8)), "mode"),
    "single writes": (trace(replaced(3, 7, "MODE", 0, MODE | 0x200)), "mode"),
    "no refresh": (trace(START, extra=8000), "refresh"),
}


def changed(index, **fields):
    """START's trace with pins changed, ``index`` edges after READ."""
    pins = trace(START)
    at = next(n for n, item in enumerate(pins) if item.cas_n == 0 and item.ras_n and item.we_n)
    pins[at + index] = dataclasses.replace(pins[at + index], **fields)
    return pins


def without_data():
    return [dataclasses.replace(item, dq_oe=0) for item in trace(START)]


FAULTS |= {
    "clock disabled": (changed(1, cke=0), "cke"),
    "driven while read": (changed(5, dq_oe=1), "contention"),
    "driven just before": (changed(2, dq_oe=1), "contention"),
    "driven just after": (changed(11, dq_oe=1), "contention"),
    "masked while read": (changed(4, dqm=1), "mask"),
    "nothing to write": (without_data(), "data"),
}
FINE = {"script": trace(START), "driven before": changed(1, dq_oe=1),
        "driven after": changed(12, dq_oe=1), "masked after": changed(9, dqm=3)}


def first_violation(pins, part=PART):
    """(rule or "", words seen at the edges after each)."""
    device, seen = SdramDevice(part, mhz=MHZ), []
    try:
        for item in pins:
            seen.append(device.step(item))
    except SdramViolation as error:
        return str(error).split(":")[0], seen
    return "", seen


@pytest.mark.parametrize("name", FAULTS)
def test_reported(name):
    pins, rule = FAULTS[name]
    assert first_violation(pins)[0] == rule


@pytest.mark.parametrize("name", FINE)
def test_not_reported(name):
    assert first_violation(FINE[name])[0] == ""


def test_row_cycle(tmp_path):
    """Of a part whose tRC is longer than tRAS and tRP together."""
    part = dataclasses.replace(PART, rc=81)
    assert agree(trace(START[:-1]), tmp_path, part) == ""
    assert agree(trace(START), tmp_path, part) == "rc"


def test_contents():
    """Bursts wrap in their block; masked bytes stay; a word is there CAS latency edges later."""
    script = [*START[:4], (2, "ACTIVATE", 3, 9), (3, "WRITE", 3, 8), (8, "READ", 3, 13)]
    pins = trace(script, extra=20)
    device = SdramDevice(PART, mhz=MHZ)
    device.data[:] = b"\xee" * PART.size
    words = [device.step(item) for item in pins]
    read = max(n for n, item in enumerate(pins) if not item.cas_n)
    written = [0x1100 * n + 7 for n in range(8)]
    masked = [word & ~(0xFF * (n & 1) | 0xFF00 * (n >> 1 & 1))
              | 0xEE * (n & 1) | 0xEE00 * (n >> 1 & 1) for n, word in enumerate(written)]
    assert words[read + 2:read + 10] == [*masked[5:], *masked[:5]]
    assert words[read + 1] is None and words[read + 10] is None
    at = ((9 * PART.banks + 3) * PART.columns + 8) * 2
    assert device.data[at:at + 16] == b"".join(word.to_bytes(2, "little") for word in masked)


def recorded(seed):
    """Pins of a controller under traffic."""
    rng = random.Random(seed)
    dut = SdramController(PART, mhz=MHZ, beat_bytes=16, cas=3)
    device, pins = SdramDevice(PART, mhz=MHZ), []
    bench = AxiTraffic(dut.axi, 16, rng, bytearray(device.data), list(range(8)), reads=12,
                       writes=12, stall=0.2)
    step = device.step
    device.step = lambda item: pins.append(item) or step(item)

    async def connect(ctx):
        await serve(ctx, dut.pins, device, capture=dut.capture, rng=rng)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    for each in bench.benches:
        sim.add_testbench(each)
    for each in (*bench.background, connect):
        sim.add_testbench(each, background=True)
    sim.run()
    return pins


def broken(pins, rng):
    """A copy with a command lost, moved, or some pin wrong."""
    pins = list(pins)
    at = rng.choice([n for n, item in enumerate(pins) if (item.ras_n, item.cas_n) != (1, 1)])
    item, kind = pins[at], rng.randrange(4)
    if kind <= 1:
        pins[at] = dataclasses.replace(item, ras_n=1, cas_n=1, we_n=1)
    if kind == 1:
        to = at + rng.choice([-3, -2, -1, 1, 2, 5])
        if 0 <= to < len(pins):
            pins[to] = dataclasses.replace(pins[to], ras_n=item.ras_n, cas_n=item.cas_n,
                                           we_n=item.we_n, ba=item.ba, a=item.a)
    if kind == 2:
        name = rng.choice(["ba", "a", "we_n", "cas_n", "ras_n"])
        pins[at] = dataclasses.replace(item, **{name: getattr(item, name) ^ 1})
    if kind == 3:
        at = rng.randrange(len(pins))
        pins[at] = dataclasses.replace(pins[at], **{rng.choice(["dq_oe", "dqm", "cke"]): 1})
    return pins


BENCH = """
`timescale 1ps/1ps
module bench;
    reg [63:0] pins [0:65535];
    reg clk = 0;
    reg [63:0] now = 0;
    wire [15:0] dq;
    integer n, edges, stopped;
    sdram_model #(%s) dut (
        .clk(clk), .cke(now[0]), .cs_n(now[1]), .ras_n(now[2]), .cas_n(now[3]), .we_n(now[4]),
        .ba(now[6:5]), .a(now[17:7]), .dqm(now[19:18]), .dq_i(now[35:20]), .dq_oe(now[36]),
        .dq_o(dq));
    initial begin
        if (!$value$plusargs("edges=%%d", edges)) $finish;
        $readmemh("pins.hex", pins, 0, edges - 1);
        for (n = 0; n < 32768; n = n + 1) dut.words[n] = 0;
        stopped = 0;
        for (n = 0; n < edges && !stopped; n = n + 1) begin
            now = pins[n]; #1 clk = 1; #1 clk = 0;
            if (dut.violations != 0) begin
                $display("first %%0s at %%0d", dut.rule, n);
                stopped = 1;
            end else $display("word %%h", dq);
        end
    end
endmodule
"""


def verilog_violation(pins, folder, part):
    """As first_violation, of the Verilog; words also where nobody drives."""
    shifts = dict(zip(NAMES, (0, 1, 2, 3, 4, 5, 7, 18, 20, 36), strict=True))
    folder.joinpath("pins.hex").write_text("\n".join(
        f"{sum(getattr(item, name) << shift for name, shift in shifts.items()):x}"
        for item in pins))
    parameters = ", ".join(f".{name}({value})" for name, value in
                           verilog_parameters(part, MHZ, fatal=0).items())
    source = folder / "bench.v"
    if not source.exists() or source.read_text() != BENCH % parameters:
        source.write_text(BENCH % parameters)
        subprocess.run(["iverilog", "-g2012", "-o", "bench", source, VERILOG], cwd=folder,
                       check=True)
    lines = subprocess.run(["vvp", "bench", f"+edges={len(pins)}"], cwd=folder, check=True,
                           capture_output=True, text=True).stdout.splitlines()
    rule = [line.split()[1] for line in lines if line.startswith("first")]
    return (rule or [""])[0], [int(line.split()[1], 16) for line in lines
                               if line.startswith("word")]


def agree(pins, folder, part=PART):
    """Both models find the same rule broken at the same edge, or none, and give the same words."""
    rule, words = first_violation(pins, part)
    other, seen = verilog_violation(pins, folder, part)
    assert (other, len(seen)) == (rule, len(words))
    for word, same in zip(words, seen, strict=True):
        assert word in (None, same)
    return rule


def test_verilog_reports_the_same(tmp_path):
    for name, (pins, rule) in FAULTS.items():
        assert agree(pins, tmp_path) == rule, name


@pytest.mark.parametrize("seed", range(2))
def test_verilog_under_traffic(seed, tmp_path):
    pins = recorded(seed)
    assert agree(pins, tmp_path) == ""
    rng, mutants = random.Random(seed), {}
    for _ in range(60):
        mutant = broken(pins, rng)
        mutants.setdefault(first_violation(mutant)[0], mutant)
    assert len(mutants) > 4, list(mutants)
    for mutant in mutants.values():
        agree(mutant, tmp_path)
