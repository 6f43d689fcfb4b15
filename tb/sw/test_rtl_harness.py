"""The Verilator harness on a small design of its own: bus, memory model, traces, tools."""

import re
import sys
import types

import pytest

from golden.spec.config import preset
from hw.bus.axi import Response
from sw.engines.rtl import builder
from sw.engines.rtl.engine import NEVER, RtlTransport
from sw.engines.rtl.toolchain import Toolchain
from sw.errors import DeviceError, ToolError, UsageError
from tb.sw.copier import Wrong, copier_verilog

(SOURCE, DESTINATION, BURSTS, LENGTH, START, WRONG, RESPONSES, CYCLES, LATENCY, CLEAR,
 STROBES) = range(0, 44, 4)
MEMORY = 1 << 16
TO = 0x8000
VERILOG = {name: copier_verilog(preset(name).group) for name in ("tiny", "base")}
LIMIT = 100_000


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """A cache of our own, so that this file builds what it tests, once."""
    own, runtime = tmp_path_factory.mktemp("cache"), builder.cache_folder() / "runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    (own / "runtime").symlink_to(runtime)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTEI_CACHE", str(own))
        yield


def chip(name, **changes):
    """A copier; tiny's is built with traces, which are off unless asked for."""
    model = {key: changes.pop(key) for key in ("dram_bytes", "dram_latency") if key in changes}
    if name == "tiny":
        changes.setdefault("trace", "unused.vcd")
        changes.setdefault("trace_cycles", (LIMIT, 0))
    return RtlTransport(preset(name, **model), verilog=VERILOG[name], memory_bytes=MEMORY,
                        **changes)


def start(transport, name, *, source=0, bursts=8, length=None, wrong=Wrong.NOTHING):
    beats = length or preset(name).burst_beats
    for offset, value in ((SOURCE, source), (DESTINATION, TO), (BURSTS, bursts),
                          (LENGTH, beats - 1), (WRONG, wrong), (CLEAR, 1), (START, 1)):
        transport.write32(offset, value)
    return bursts * beats * preset(name).group


def content(size, seed=7):
    return bytes((seed * i * i + i >> 3) & 255 for i in range(size))


@pytest.mark.parametrize("name", ["tiny", "base"])
@pytest.mark.parametrize("stall_percent, seed", [(0, 0), (30, 1), (70, 2)])
def test_copies_under_stalls(name, stall_percent, seed):
    transport = chip(name, stall_percent=stall_percent, seed=seed)
    transport.write(0, content(MEMORY // 2))
    for run in range(2):
        size = start(transport, name, source=1024 * run)
        assert transport.wait(LIMIT), f"seed {seed}"
        assert transport.read(TO, size) == content(MEMORY)[1024 * run:1024 * run + size]
        assert transport.read(TO + size, 64) == bytes(64)
        assert transport.read32(RESPONSES) == 0
        transport.write32(CLEAR, 0)
        assert not transport.wait(3)
    beats = 2 * size // preset(name).group
    assert transport.beats == (beats, beats)


def test_stalls_follow_the_seed():
    def cycles(seed, stall_percent=40):
        transport = chip("tiny", stall_percent=stall_percent, seed=seed)
        start(transport, "tiny")
        assert transport.wait(LIMIT)
        return transport.cycles
    assert cycles(1) == cycles(1)
    assert len({cycles(seed) for seed in range(6)}) > 1
    assert cycles(1) > cycles(1, 0)


@pytest.mark.parametrize("latency", [0, 1, 7, 40, 1000])
def test_latency_is_from_address_to_first_beat(latency):
    transport = chip("base", dram_latency=latency)
    start(transport, "base", bursts=1, length=1)
    assert transport.wait(LIMIT)
    assert transport.read32(LATENCY) == max(1, latency)
    # Read and write response each wait that long; the rest is the copier's own.
    assert 0 <= transport.read32(CYCLES) - 2 * max(1, latency) <= 6


@pytest.mark.parametrize("name, rate", [("base", 1), ("base", 2), ("base", 3), ("base", 16),
                                        ("base", 24), ("base", 32), ("base", 1024), ("tiny", 3),
                                        ("tiny", 4)])
def test_bandwidth_is_shared_by_reads_and_writes(name, rate):
    transport = chip(name, dram_bytes=rate, dram_latency=2)
    size = start(transport, name, bursts=32)
    assert transport.wait(LIMIT)
    beat = preset(name).group
    ideal = max(2 * size / rate, size / beat)  # a channel carries a beat a cycle at most
    # A memory that has rested owes nothing: the first beat is free.
    assert ideal - beat / rate <= transport.read32(CYCLES) <= 1.02 * ideal + 12


def test_registers_answer_and_refuse():
    transport = chip("tiny", stall_percent=50)
    for value in (0, 0xFFFFFFFF, 0x12345678):
        transport.write32(SOURCE, value)
        assert transport.read32(SOURCE) == value
    with pytest.raises(DeviceError, match="read of register 0x100: AXI4-Lite response 2"):
        transport.read32(0x100)
    with pytest.raises(DeviceError, match="write of register 0x100: AXI4-Lite response 2"):
        transport.write32(0x100, 1)


@pytest.mark.parametrize("changes, text", [
    (dict(wrong=Wrong.LAST), "W: last before the end"),
    (dict(wrong=Wrong.DROP_VALID), "W: valid dropped"),
    (dict(wrong=Wrong.CHANGE_PAYLOAD), "W: payload changed"),
    (dict(source=4088, length=4), "AR: burst of 4 beats at 4088 crosses a 4 KiB boundary"),
    (dict(source=2), "AR: burst of 4 beats at 2 is not beat aligned"),
    (dict(length=5), r"burst of 5 beats at \d+ is longer than 4"),
])
def test_broken_bus_rules_are_reported(changes, text):
    transport = chip("tiny", stall_percent=30)
    with pytest.raises(DeviceError, match=text):
        start(transport, "tiny", **changes)
        transport.wait(LIMIT)
    with pytest.raises(DeviceError, match=r"\(cycle \d+\)"):
        transport.read32(START)


@pytest.mark.parametrize("response", [Response.SLVERR, Response.DECERR])
def test_error_responses_are_injected(response):
    transport = chip("tiny")
    transport.write(0, content(4096))
    transport.inject(64, 4, response, writes=False)
    start(transport, "tiny")
    assert transport.wait(LIMIT)
    assert transport.read32(RESPONSES) == response
    transport.inject_nothing()
    before = transport.read(TO, 128)
    transport.inject(TO + 12, 8, response, reads=False)
    transport.write(0, content(4096, 3))
    start(transport, "tiny")
    assert transport.wait(LIMIT)
    assert transport.read32(RESPONSES) == response << 2
    after = transport.read(TO, 128)
    assert after[12:20] == before[12:20]
    assert after[:12] + after[20:] == content(4096, 3)[:12] + content(4096, 3)[20:128]


def test_beyond_the_memory_is_a_decode_error():
    transport = chip("tiny")
    start(transport, "tiny", source=MEMORY - 16, bursts=2)
    assert transport.wait(LIMIT)
    assert transport.read32(RESPONSES) == Response.DECERR
    for address, size in ((MEMORY - 3, 4), (-1, 1), (MEMORY, 1)):
        with pytest.raises(DeviceError, match="outside the DRAM"):
            transport.read(address, size)
        with pytest.raises(DeviceError, match="outside the DRAM"):
            transport.write(address, bytes(size))


@pytest.mark.parametrize("side", ["reads", "writes"])
def test_a_silent_memory_waits_until_released(side):
    transport = chip("tiny")
    transport.write(0, content(4096))
    transport.inject(0, MEMORY, NEVER, **{"reads": False, "writes": False, side: True})
    size = start(transport, "tiny")
    assert not transport.wait(5000)
    assert transport.cycles >= 5000
    transport.inject_nothing()
    assert transport.wait(LIMIT)
    assert transport.read(TO, size) == content(4096)[:size]


def test_strobes_select_bytes():
    transport = chip("base")
    transport.write(0, content(4096))
    transport.write32(STROBES, 0x8421)
    size = start(transport, "base")
    assert transport.wait(LIMIT)
    assert transport.read(TO, size) == bytes(
        value if i % 16 in (0, 5, 10, 15) else 0 for i, value in enumerate(content(4096)[:size]))


def test_trace_holds_the_cycles_asked_for(tmp_path):
    path = tmp_path / "waves.vcd"
    transport = chip("tiny", trace=path, trace_cycles=(20, 29))
    start(transport, "tiny")
    assert transport.wait(LIMIT)
    transport.close()
    text = path.read_text()
    assert "axi__ar__valid" in text
    times = [int(time) for time in re.findall(r"^#(\d+)$", text, re.MULTILINE)]
    assert times[0] == 200 and times[-1] == 295
    with pytest.raises(DeviceError, match="closed"):
        transport.read32(0)


@pytest.mark.slow
def test_fst_is_built_or_its_libraries_are_named(tmp_path):
    try:
        Toolchain().need_fst()
    except ToolError as error:
        assert "liblz4-dev" in str(error)
        with pytest.raises(ToolError, match=r"FST traces need lz4\.h"):
            chip("tiny", trace=tmp_path / "waves.fst")
        return
    with_trace = chip("tiny", trace=tmp_path / "waves.fst", trace_cycles=(0, 50))
    start(with_trace, "tiny")
    assert with_trace.wait(LIMIT)
    with_trace.close()
    assert (tmp_path / "waves.fst").stat().st_size > 100


def test_a_library_is_built_once():
    told = []
    first = builder.build(VERILOG["base"], 16, progress=told.append)
    chip("base")
    again = builder.build(VERILOG["base"], 16, progress=told.append)
    assert first == again and len(told) <= 1
    assert sorted(first.parent.iterdir()) == sorted(first.parent.glob("*.so"))


def test_verilog_is_generated_once(monkeypatch):
    told, made = [], []
    fake = types.SimpleNamespace(generate=lambda config: made.append(config) or f"// {config}")
    monkeypatch.setitem(sys.modules, "hw.export", fake)
    tiny, wide = preset("tiny", drain=4), preset("tiny", drain=1)
    for config in (tiny, wide, tiny.replace(dram_bytes=9), wide):
        # The memory's timing is not the chip's.
        text = builder.generate_verilog(config, told.append)
        assert text == f"// {config.replace(dram_bytes=4)}"
    assert made == [tiny, wide] and len(told) == 2


def test_refusals(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="accepted is 0 to 99"):
        chip("tiny", stall_percent=100)
    with pytest.raises(UsageError, match=r"accepted is \.vcd or \.fst"):
        chip("tiny", trace="waves.txt")
    with pytest.raises(UsageError, match="there is no folder"):
        chip("tiny", trace=tmp_path / "no" / "waves.vcd")
    with pytest.raises(ToolError, match="verilator ended with"):
        builder.build("module npu(; endmodule", 4)
    with monkeypatch.context() as patch, pytest.raises(ToolError, match="set SENTEI_CACHE"):
        (tmp_path / "file").write_text("")
        patch.setenv("SENTEI_CACHE", str(tmp_path / "file"))
        patch.setattr(Toolchain, "run", lambda self, command, folder: (
            folder / "obj_dir" / builder.LIBRARY).write_text(""))
        builder.build(VERILOG["base"], 16)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="g\\+\\+, make, perl"):
        builder.build(VERILOG["base"], 16)
