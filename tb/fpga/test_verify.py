"""A small design through the whole flow: its bitstream is its netlist, and no longer is with a
fault planted in it."""

import json
import re
import shutil
from collections import defaultdict
from dataclasses import asdict

import numpy as np
import pytest

from fpga import copies, decode
from fpga.bitstream.bitfile import BitFile, read_bitfile
from fpga.bitstream.tables import Tables, function
from fpga.bitstream.trellis import Trellis
from fpga.boards import board
from fpga.build import Build, verify_build
from fpga.place import place as place_all
from fpga.toolchain import Toolchain
from fpga.verify import Different, verify
from golden.spec.config import preset
from sw.cli import main
from sw.errors import ToolError
from tb.fpga.design import PINS, PORTS, map_design
from tb.fpga.rules import place_of
from tb.fpga.test_report import made

SEED, EFFORT, CLOCK = 3, 20, 250.0  # MHz: so that something is late
BOARD = board("icesugar-pro")
DEVICE, PACKAGE = "LFE5U-25F", "CABGA256"
LOGIC = "PLC2"
PART = re.compile(r"\$(CCU2|DPRAM)_COMB\d")


class Inside:
    """The placer, with the first seed from the one given on that puts LUTs twice.

    Which one that is depends on how a processor rounds.
    """

    def __init__(self, *program):
        assert program[1][1:] == ("-P", "-m", "fpga.place")

    def run(self, arguments, folder, log, line):
        packed, placed, seed, period, effort = arguments
        for number in range(int(seed), int(seed) + 30):
            told = []
            found = place_all(folder / packed, folder / placed, number, float(period),
                              int(effort), told.append)
            if "0 LUTs twice" not in told:
                break
        (folder / log).write_text(json.dumps(asdict(found)))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A build: generated, placed, routed, packed."""
    folder = tmp_path_factory.mktemp("built")
    tools = Toolchain(native=False)
    map_design(folder, tools)
    shutil.copy(folder / "netlist.json", folder / "top.json")
    with (folder / "top.lpf").open("a") as file:
        file.write('IOBUF PORT "out[0]" PULLMODE=UP SLEWRATE=FAST IO_TYPE=LVCMOS33;')
    build = Build(BOARD, preset("tiny"), CLOCK, folder, tools, EFFORT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "_DETOUR", 0.1)  # more LUTs twice
        patch.setattr("fpga.build.Tool", Inside)
        build.route(SEED, lambda text: None)
    build.pack(SEED, lambda text: None)
    return build


@pytest.fixture(scope="module")
def device():
    return Trellis(DEVICE)


class Bits:
    """The bits of a bitstream, to be changed; and what nextpnr meant by them.

    Members
    -------
    meant : dict
        By tile: lines of nextpnr's configuration, in words.
    logic : list of (str, dict, str, int)
        Cells of the netlist that lie in slices: name, as routed, tile and slot.
    """

    def __init__(self, folder, device):
        self.file = read_bitfile(folder / "top.bit", {device.identity: device.frame_bytes})
        self.bits = np.unpackbits(self.file.frames, axis=1)[::-1, ::-1].copy()
        self.memories = {number: words.copy() for number, words in self.file.memories.items()}
        self.tiles = {tile.name: tile for tile in device.tiles}
        self.device, self._changed = device, set()
        self.meant = defaultdict(list)
        tile = ""
        for line in (folder / f"seed{SEED}.config").read_text().splitlines():
            if line.startswith("."):
                tile = line.split()[1] if line.startswith(".tile ") else ""
            elif line and tile:
                self.meant[tile].append(line.split())
        known = cells_of(folder / "top.json")
        self.logic = []
        for name, cell in cells_of(folder / f"seed{SEED}.json").items():
            at = place_of(cell)
            if at is not None and PART.sub("", name) in known:
                self.logic.append((name, cell, f"R{at[1]}C{at[0]}:{LOGIC}", at[3]))

    def kind(self, tile):
        return self.device.kind(self.tiles[tile].kind)

    def put(self, tile, option, value):
        """Have bits as an option wants them, or just not."""
        self._changed.add(tile)
        at = self.tiles[tile]
        for bits, one in ((option.ones, value), (option.zeros, not value)):
            for frame, bit in bits:
                self.bits[at.frame + frame, at.bit + bit] = one

    def view(self, tile):
        at = self.tiles[tile]
        return self.bits[at.frame:at.frame + at.frames, at.bit:at.bit + at.bits]

    def is_so(self, tile, option):
        view = self.view(tile)
        return all(view[bit] for bit in option.ones) and not any(
            view[bit] for bit in option.zeros)

    def turn(self, tile, setting, number=0):
        """Another value of a bit of a word, or of a setting of one bit."""
        kind = self.kind(tile)
        item = kind.words[setting][number] if setting in kind.words else next(
            item for item in kind.enums[setting] if len(item.ones + item.zeros) == 1)
        self.put(tile, item, not self.is_so(tile, item))

    def where(self, kind, wanted=lambda cell: True, mode=None):
        """A cell in a tile that nothing was changed in yet."""
        return next((name, cell, tile, slot) for name, cell, tile, slot in self.logic
                    if cell["type"] == kind and tile not in self._changed
                    and (mode is None or cell["parameters"].get("MODE", "LOGIC") == mode)
                    and wanted(cell))

    def arc(self, tile, sink):
        """The option that an arc is, by where it comes from."""
        source = next((line[2] for line in self.meant[tile] if line[:2] == ["arc:", sink]), None)
        return source and next(item for item in self.kind(tile).muxes[sink]
                               if item.name == source)

    def of_blocks(self, pattern, of=""):
        """A setting of a block, or a tie, that bits are as it says and which takes some."""
        for name, tile in self.tiles.items():
            if tile.kind.startswith(("MIB", "CIB")) and of in tile.kind:
                for title, options in self.kind(name).enums.items():
                    for item in options:
                        if (re.fullmatch(pattern, f"{title} {item.name}") and item.ones
                                and self.is_so(name, item)):
                            return name, item
        raise AssertionError(pattern)

    def result(self):
        return BitFile(self.file.identity, np.packbits(self.bits[::-1, ::-1], axis=1),
                       self.memories)


def cells_of(path):
    return json.loads(path.read_text())["modules"]["top"]["cells"]


def nets(cell):
    return {pin: cell["connections"][pin][0] for pin in "ABCD" if cell["connections"].get(pin)}


def of_slot(slot, name):
    return f"SLICE{'ABCD'[slot // 2]}.{name.format(slot % 2)}"


def missing_arc(bits):
    name, _, tile, slot = bits.where("TRELLIS_COMB", lambda cell: len(nets(cell)) == 4, "LOGIC")
    bits.put(tile, bits.arc(tile, f"A{slot}"), False)
    return f"{re.escape(name)}: is another function: of "


def arc_from_elsewhere(bits):
    for name, cell, tile, slot in bits.logic:
        own = cell["connections"].get("M") and bits.arc(tile, f"M{slot}")
        taken = {line[2] for line in bits.meant[tile] if line[0] == "arc:"}
        for other in (bits.kind(tile).muxes[f"M{slot}"]
                      if own and cell["type"] == "TRELLIS_FF" else ()):
            if other.name in taken - {own.name}:
                bits.put(tile, own, False)
                bits.put(tile, other, True)
                return f"{re.escape(name)}: DI is at (?!.*no cell drives).*, in the netlist "
    raise AssertionError("no such arc")


def arc_of_nobody(bits):
    tile = next(name for name, tile in bits.tiles.items()
                if tile.kind == LOGIC and name not in bits.meant)
    bits.put(tile, bits.kind(tile).muxes["V00T0000"][0], True)
    return f"not of the netlist: {tile}: V00T0000 from "


def two_arcs(bits):
    """Two switches of a multiplexer at a time."""
    name, _, tile, slot = bits.where("TRELLIS_COMB", lambda cell: len(nets(cell)) == 4, "LOGIC")
    own = bits.arc(tile, f"B{slot}")
    bits.put(tile, next(item for item in bits.kind(tile).muxes[f"B{slot}"]
                        if not set(item.ones) & set(own.ones)), True)
    return f"{re.escape(name)}: is another function|not of the netlist: {tile}"


def bit_of_a_lut(bits):
    name, _, tile, slot = bits.where(
        "TRELLIS_COMB", lambda cell: len(set(nets(cell).values())) == 4, "LOGIC")
    bits.turn(tile, of_slot(slot, "K{}.INIT"), 6)
    return f"{re.escape(name)}: is another function of the same nets"


def exchanged_inputs_of_a_carry_cell(bits):
    """As if nets at A and C were exchanged, the latter nothing; A and B may be, in an adder."""
    name, _, tile, slot = bits.where("TRELLIS_COMB", lambda cell: {*"AB"} == nets(cell).keys(),
                                     "CCU2")
    word = bits.kind(tile).words[of_slot(slot, "K{}.INIT")]
    values = [bits.is_so(tile, item) for item in word]
    for place, item in enumerate(word):
        bits.put(tile, item, values[place & 0b1010 | (place & 1) << 2 | place >> 2 & 1])
    return f"{re.escape(PART.sub('', name))}: half [01] is another function"


def contents_of_lut_ram(bits):
    name, _, tile, slot = bits.where("TRELLIS_COMB", mode="DPRAM")
    for number in range(16):
        bits.turn(tile, of_slot(slot, "K{}.INIT"), number)
    return f"{re.escape(PART.sub('', name))}: bit {slot} has other contents at first"


def of_a_flipflop(setting, what, pin="CLK"):
    def plant(bits):
        name, _, tile, slot = bits.where("TRELLIS_FF", lambda cell: cell["connections"].get(pin))
        line = bits.arc(tile, f"MUX{pin}{slot // 2}")  # which of the tile's two it takes
        bits.turn(tile, of_slot(slot, setting[1:]) if line is None or setting[0] == "."
                  else f"{line.name}.{setting}")
        return f"{re.escape(name)}: {what}"
    return plant


def contents_of_block_ram(bits):
    (number,) = bits.memories
    bits.memories[number][77] ^= 4
    return "contents differ, first in 9 bits at 77: 4, not 0"


def of_a_block(pattern, what, of=""):
    def plant(bits):
        bits.put(*bits.of_blocks(pattern, of), False)
        return what
    return plant


def of_a_pad(name, value):
    def plant(bits):
        pin = bits.device.pads["packages"][PACKAGE][PINS[PORTS.index("out[0]")]]
        setting = f"PIO{pin['pio']}.{name}"
        tile = next(tile for tile, lines in bits.meant.items()
                    if ["enum:", setting, value] in lines)
        bits.put(tile, next(item for item in bits.kind(tile).enums[setting]
                            if item.name == value), False)
        return rf"out\[0\]\$pad: {setting} isn't {value}"
    return plant


FAULTS = {
    "contents of LUT RAM": contents_of_lut_ram,  # first: it has one tile
    "missing arc": missing_arc, "arc from elsewhere": arc_from_elsewhere,
    "arc of nobody": arc_of_nobody, "two arcs": two_arcs, "bit of a LUT": bit_of_a_lut,
    "exchanged inputs of a carry cell": exchanged_inputs_of_a_carry_cell,
    "contents of block RAM": contents_of_block_ram,
    "reset value": of_a_flipflop(".REG{}.REGSET", "REGSET is"),
    "data input": of_a_flipflop(".REG{}.SD", "DI is at"),
    "clock's edge": of_a_flipflop("CLKMUX", "CLK is at inverted"),
    "reset's polarity": of_a_flipflop("LSRMUX", "LSR is at inverted", "LSR"),
    "enable's polarity": of_a_flipflop(".CEMUX", "CE is at inverted", "CE"),
    "register of a multiplier": of_a_block(
        r"MULT18_\d\.REG_OUTPUT_CLK CLK0", r"MULT18_\d\.REG_OUTPUT_CLK isn't CLK0"),
    "enable of a multiplier": of_a_block(
        r"MULT18_\d\.CE0MUX CE0", r"MULT18_\d\.CE0MUX isn't CE0"),
    "mode of block RAM": of_a_block(r"EBR\d\.MODE DP16KD", r"EBR\d\.MODE isn't DP16KD"),
    "inverter of block RAM": of_a_block(r"EBR\d\.RSTAMUX INV", "RSTA is at constant 1"),
    "tie of block RAM": of_a_block(r"CIB\.JCE0MUX 1", "OCE[AB] is at .* no cell drives", "EBR"),
    "pull of a pad": of_a_pad("PULLMODE", "UP"), "slew of a pad": of_a_pad("SLEWRATE", "FAST"),
}


@pytest.fixture(scope="module")
def planted(built, device):
    """All faults at once: what each is to be found as, and what is found."""
    bits = Bits(built.folder, device)
    wanted = {name: plant(bits) for name, plant in FAULTS.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "read_bitfile", lambda path, sizes: bits.result())
        with pytest.raises(Different) as error:
            verify_build(built.folder, SEED, BOARD)
    return wanted, error.value.differences


def test_a_build_is_its_netlist(built):
    told = []
    found = built._verify(SEED, told.append)
    cells = cells_of(built.folder / "top.json")
    assert found.cells == len(cells) and found.pins > 4 * found.cells
    assert told[-1] == f"bitstream decoded: {found.cells} cells, {found.pins:,} pins agree"
    added = [name for name in cells_of(built.folder / f"seed{SEED}.json") if name not in cells]
    assert all(any(what in name for name in added) for what in ("$copy", "$buffer"))
    assert {cell["type"] for cell in cells.values()} >= {
        "LUT4", "TRELLIS_FF", "CCU2C", "PFUMX", "L6MUX21", "TRELLIS_DPR16X4", "DP16KD",
        "MULT18X18D"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(planted, fault):
    wanted, found = planted
    assert any(re.search(wanted[fault], text) for text in found), found


def test_a_wrong_bitstream_is_put_aside(built, device, monkeypatch):
    bits = Bits(built.folder, device)
    bit_of_a_lut(bits)
    monkeypatch.setattr(decode, "read_bitfile", lambda path, sizes: bits.result())
    good, wrong = (built.folder / name for name in ("top.bit", "top.wrong.bit"))
    with pytest.raises(ToolError, match=r"top\.bit isn't top\.json: 1 difference\n"):
        built._verify(SEED, lambda text: None)
    assert wrong.exists() and not good.exists()
    wrong.replace(good)


def test_the_netlist_with_a_net_elsewhere(built, tmp_path):
    """The other way around: the netlist is changed."""
    netlist = json.loads((built.folder / "top.json").read_text())
    cells = netlist["modules"]["top"]["cells"]
    first, second = [cell for cell in cells.values() if cell["type"] == "TRELLIS_FF"
                     and "CE" in cell["connections"]][:2]
    first["connections"]["DI"], second["connections"]["DI"] = (
        second["connections"]["DI"], first["connections"]["DI"])
    (tmp_path / "top.json").write_text(json.dumps(netlist))
    with pytest.raises(ToolError, match="2 differences"):
        verify(tmp_path / "top.json", built.folder / f"seed{SEED}.json",
               built.folder / "top.lpf", built.folder / "top.bit", BOARD.nextpnr)


def test_a_setting_that_no_tile_has(built, tmp_path):
    """Or bits that are all 0 would count as what nobody knows."""
    netlist = json.loads((built.folder / "top.json").read_text())
    memory = next(cell for cell in netlist["modules"]["top"]["cells"].values()
                  if cell["type"] == "DP16KD")
    memory["parameters"]["WRITEMODE_A"] = "BACKWARDS"
    (tmp_path / "top.json").write_text(json.dumps(netlist))
    with pytest.raises(Different, match=r"no tile knows .*WRITEMODE_A as BACKWARDS"):
        verify(tmp_path / "top.json", built.folder / f"seed{SEED}.json",
               built.folder / "top.lpf", built.folder / "top.bit", BOARD.nextpnr)


def test_uncompressed_is_the_same(built, device, tmp_path):
    shutil.copy(built.folder / f"seed{SEED}.config", tmp_path)
    built.tools.ecppack.run(["--input", f"seed{SEED}.config", "--bit", "top.bit"], tmp_path,
                            "ecppack.log")
    sizes = {device.identity: device.frame_bytes}
    one, other = (read_bitfile(folder / "top.bit", sizes) for folder in (built.folder, tmp_path))
    assert np.array_equal(one.frames, other.frames) and one.memories.keys() == other.memories.keys()
    assert (tmp_path / "top.bit").stat().st_size > (built.folder / "top.bit").stat().st_size


@pytest.mark.parametrize("damage, why", [
    (lambda data: data[:-20], "ends in the middle"), (lambda data: b"none", "can't be read"),
    (lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:], "checksum"),
    (lambda data: data.replace(b"\x41\x11\x10\x43", b"\x41\x11\x30\x43"),
     "for device 0x41113043, accepted is 0x41111043")])
def test_what_is_no_bitstream(built, tmp_path, damage, why):
    for name in ("top.json", "top.lpf", f"seed{SEED}.json"):
        shutil.copy(built.folder / name, tmp_path)
    (tmp_path / "top.bit").write_bytes(damage((built.folder / "top.bit").read_bytes()))
    with pytest.raises(ToolError, match=why):
        verify_build(tmp_path, SEED, BOARD)


def test_functions_are_compared_whatever_inputs_are_exchanged():
    tables = Tables([7, 9, ("?", 5), "1"])
    content = 0b0000_0000_0000_1010  # B counts for nothing, C and D have to be 0
    assert tables.lut(content, [7, 9, "0", "0"]) == tables.of(7)
    assert tables.signal(tables.lut(0b1100, [9, 7])) == 7
    assert tables.signal(tables.lut(0b0110, [9, 7])) is None
    assert tables.lut(0b0010, [9, 7]) == tables.lut(0b0100, [7, 9]) != tables.lut(0b0010, [7, 9])
    assert tables.signal(tables.lut(0b1010, ["1", 7])) == "1"
    assert function(content, [7, 9, "0", "0"]) == ((7,), 0b10) == function(0b1100, ["0", 7])
    assert function(0b0010, [9, 7]) == function(0b0100, [7, 9]) == ((7, 9), 0b0100)
    assert function(0b0110, [7, ("?", 5)]) is None and function(0b1111, [7, 9]) == ((), 1)
    # An adder's half: A and B may be exchanged.
    half, into = 0b1001_0110_1010_1010, tables.of(("?", 5))
    assert tables.carry(half, [7, 9, "0", "1"], True, into) == tables.carry(
        half, [9, 7, "0", "1"], True, into) != tables.carry(half, [7, 9, "1", "1"], True, into)


def test_other_devices():
    with pytest.raises(ToolError, match="which device"):
        verify(*[None] * 4, ("--12k",))


def test_command(built, capsys):
    report = {**made(), "board": BOARD.name, "tools": {}, "seconds": 5, "memory_mb": 7,
              "seeds": [{"seed": SEED, "clock_mhz": 50.0, "seconds": 3}]}
    (built.folder / "report.json").write_text(json.dumps(report))
    assert main(["fpga", "verify", str(built.folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pins"] > 1000 and set(found) == {"cells", "pins", "settings", "idle"}
    assert json.loads((built.folder / "report.json").read_text()) == report | {"verified": found}
    assert f"{found['cells']:,} cells" in (built.folder / "report.html").read_text()
    assert main(["fpga", "verify", str(built.folder)]) == 0
    assert "pins agree" in capsys.readouterr().out
