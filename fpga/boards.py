"""Boards that a bitstream can be built for. Pins come from amaranth-boards."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from amaranth.vendor import LatticeECP5Platform

from sw.errors import ToolError, UsageError

__all__ = ["BOARDS", "Board", "Resources", "board"]


@dataclass(frozen=True)
class Resources:
    """What a device has, or a design takes.

    Parameters
    ----------
    lut4, ff, dsp, ebr : int
        A carry cell takes two LUT4, a 16 x 4 bit LUT RAM six with its address logic.
    """

    lut4: int
    ff: int
    dsp: int
    ebr: int


# Lattice FPGA-DS-02012, "ECP5 Family Selection Guide".
_LFE5U_25F = Resources(lut4=24_288, ff=24_288, dsp=28, ebr=56)
_LFE5U_85F = Resources(lut4=83_640, ff=83_640, dsp=156, ebr=208)


@dataclass(frozen=True)
class Board:
    """One board.

    Parameters
    ----------
    name : str
    title : str
    pins : tuple of str
        Where amaranth-boards has them: module and class.
    device : Resources
    clocks : mapping of str to float
        Presets that fit, the default first, each with the MHz of chip and SDRAM unless asked
        otherwise.
    sdram : str
        Part, as hw.sdram names it.
    baud : int
        Of the serial bridge, the most that it is known to keep up.
    leds : tuple of str
        Resources that show: a heartbeat once there is memory, a working link, data on their way,
        an interrupt.
    nextpnr : tuple of str
        Device, package and speed grade, as options.
    loader : tuple of str
        Options by which openFPGALoader knows the board.
    """

    name: str
    title: str
    pins: tuple[str, str]
    device: Resources
    clocks: Mapping[str, float]
    sdram: str
    baud: int
    leds: tuple[tuple[str, int], ...]
    nextpnr: tuple[str, ...]
    loader: tuple[str, ...]

    def platform(self) -> LatticeECP5Platform:
        """Amaranth's, which has pins and device.

        Raises
        ------
        ToolError
            If amaranth-boards is not installed.
        """
        module, name = self.pins
        try:
            found = import_module(f"amaranth_boards.{module}")
        except ModuleNotFoundError as error:
            raise ToolError(f"the Python package amaranth-boards, which has the board's pins, is "
                            f"missing ({error}); pip install -e .[fpga]") from None
        platform: LatticeECP5Platform = getattr(found, name)()
        return platform

    @property
    def presets(self) -> tuple[str, ...]:
        """Those that fit, the default first."""
        return tuple(self.clocks)

    @property
    def clock_mhz(self) -> float:
        """Of the default preset."""
        return next(iter(self.clocks.values()))


BOARDS = {item.name: item for item in (
    Board(name="ulx3s-85f", title="Radiona ULX3S with LFE5U-85F",
          pins=("ulx3s", "ULX3S_85F_Platform"), device=_LFE5U_85F,
          clocks={"ulx3s_85f": 70, "ulx3s_85f_drp": 60},
          sdram="any-32MiB-7", baud=3_000_000, leds=tuple(("led", number) for number in range(4)),
          nextpnr=("--85k", "--package", "CABGA381", "--speed", "6"), loader=("-b", "ulx3s")),
    Board(name="icesugar-pro", title="MuseLab iCESugar-Pro with LFE5U-25F",
          pins=("icesugar_pro", "ICESugarProPlatform"), device=_LFE5U_25F,
          clocks={"icesugar_pro": 50}, sdram="IS42S16160B-7", baud=1_000_000,
          leds=(("rgb_led", 0),),
          nextpnr=("--25k", "--package", "CABGA256", "--speed", "6"),
          # openFPGALoader has no name for it.
          loader=("-c", "cmsisdap", "--vid=0x1d50", "--pid=0x602b")),
)}


def board(name: str) -> Board:
    """A board by name.

    Raises
    ------
    UsageError
        For one that isn't there.
    """
    if name not in BOARDS:
        raise UsageError(f"no board {name!r}; boards are {', '.join(BOARDS)}")
    return BOARDS[name]
