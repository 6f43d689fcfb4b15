"""What a bitstream holds beside its netlist, and what of it does nothing."""

from collections.abc import Iterator

from fpga.bitstream.comparison import Comparison
from fpga.bitstream.slices import LOGIC, PINS, SLICES
from fpga.cells import SLOTS
from fpga.decode import Group

__all__ = ["Idle"]

_TIE = "CIB."
_TRUNKS = ("G_ULPCLK", "G_URPCLK", "G_LLPCLK", "G_LRPCLK", "G_DCS")
# Bits without a known meaning, which nextpnr sets in every bitstream: in a tile that each device
# has one of, and at the pads of bank 4.
_ONCE, _PADS = {(2, 0), (3, 0), (5, 0), (11, 0), (13, 0)}, {(0, 1)}
_ALWAYS = {"DSP_SPINE_UL1": _ONCE, "PVT_COUNT2": _ONCE, "PICB0": _PADS, "PICB1": _PADS}


class Idle:
    """Settings that no rule asked for.

    Some are of use to nobody, and no harm: LUTs that drive nothing of the netlist (sums at the end
    of carry chains, copies) and what leads to them, ties of wires that nothing is at, clocks into
    quarters of the device where nothing has them, and bits that all bitstreams have.

    Parameters
    ----------
    comparison : Comparison
        When all of its cells are compared.
    """

    def __init__(self, comparison: Comparison) -> None:
        self._to = comparison

    def run(self) -> tuple[dict[str, int], list[str]]:
        """Tell the harmless from the others.

        Returns
        -------
        harmless : dict
            How many there are of each kind.
        others : list of str
            Tiles and bits, and what sets these.
        """
        groups = self._to.decoded.groups
        harmless = {"idle_luts": 0, "idle_ties": 0, "idle_clocks": 0, "constant_bits": 0}
        self._use_what_leads_to_luts()
        left = list(self._left())
        for group, tile, bits in left:
            if group is groups.get(LOGIC):
                harmless["idle_luts"] += self._explain_luts(group, tile)
            harmless["idle_ties"] += self._explain_ties(group, tile)
            for option in self._options(group, tile, bits, _TRUNKS):
                harmless["idle_clocks"] += 1
                group.explain([tile], option)
            always = _ALWAYS.get(group.tiles[tile].kind, set()) & set(bits)
            harmless["constant_bits"] += len(always)
            group.explain([tile], always)
        others = [f"{group.tiles[tile].name}: {self._meaning(group, tile, bits)}"
                  for group, tile, bits in self._left()]
        return harmless, others

    def _left(self) -> Iterator[tuple[Group, int, list[tuple[int, int]]]]:
        for group in self._to.decoded.groups.values():
            for tile, bits in group.unexplained():
                yield group, tile, bits

    def _use_what_leads_to_luts(self) -> None:
        """Arcs that only lead to LUTs in nobody's use are of the same kind as these."""
        wires, found = self._to.wires, []
        for tile in self._to.decoded.groups[LOGIC].tiles:
            for slot in range(SLOTS):
                if not self._to.is_taken(tile.x, tile.y, f"K{slot}"):
                    found += [wires.number(tile.x, tile.y, f"{pin}{slot}") for pin in PINS]
        wires.use(wire for wire in found if wires.is_driven(wire))
        wires.explain()

    def _explain_luts(self, group: Group, tile: int) -> int:
        x, y = group.tiles[tile].x, group.tiles[tile].y
        found = 0
        for slot in range(SLOTS):
            if self._to.is_taken(x, y, f"K{slot}"):
                continue
            found += 1
            letter, half = SLICES[slot // 2], slot % 2
            if not self._to.is_taken(x, y, f"K{slot ^ 1}"):
                group.value(tile, f"SLICE{letter}.MODE")
            group.word(tile, f"SLICE{letter}.K{half}.INIT")
            for setting in (*(f"{pin}{half}MUX" for pin in PINS), f"CCU2.INJECT1_{half}"):
                group.value(tile, f"SLICE{letter}.{setting}")
        return found

    def _explain_ties(self, group: Group, tile: int) -> int:
        x, y, found = group.tiles[tile].x, group.tiles[tile].y, 0
        for setting, options in group.kind.enums.items():
            if not setting.startswith(_TIE):
                continue
            wire = self._to.wires.number(x, y, setting.removeprefix(_TIE).removesuffix("MUX"))
            if not self._to.wires.is_used(wire):
                for option in options:
                    if option.ones and group.fits(tile, setting, option.name):
                        found += 1
                        group.explain([tile], option.ones)
        return found

    @staticmethod
    def _options(group: Group, tile: int, bits: list[tuple[int, int]],
                 sinks: tuple[str, ...]) -> Iterator[tuple[tuple[int, int], ...]]:
        for sink, options in group.kind.muxes.items():
            if sink.startswith(sinks):
                for option in options:
                    if set(option.ones) & set(bits) and group.is_set(tile, option):
                        yield option.ones

    @staticmethod
    def _meaning(group: Group, tile: int, bits: list[tuple[int, int]]) -> str:
        """What could be meant by bits."""
        found = [f"{sink} from {option.name}" for sink, options in group.kind.muxes.items()
                 for option in options if option.ones and set(option.ones) <= set(bits)]
        found += [f"{setting} {option.name}" for setting, options in group.kind.enums.items()
                  for option in options if option.ones and set(option.ones) <= set(bits)]
        found += [f"{setting}" for setting, options in group.kind.words.items()
                  if any(set(option.ones + option.zeros) & set(bits) for option in options)]
        return ", ".join(found[:3]) or " ".join(f"F{frame}B{bit}" for frame, bit in bits[:8])
