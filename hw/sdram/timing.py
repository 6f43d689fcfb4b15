"""SDR SDRAM parts as data: geometry, and times in ns that become cycles of a given clock."""

import dataclasses
import math
from dataclasses import dataclass

__all__ = ["DATA_BITS", "PARTS", "SdramCycles", "SdramTiming", "slowest"]

DATA_BITS = 16


@dataclass(frozen=True, kw_only=True)
class SdramCycles:
    """What the controller counts, in cycles of its clock.

    Parameters
    ----------
    cas : int
        CAS latency, 2 or 3.
    rcd, rp, ras, rc, rfc, rrd, wr, mrd : int
        As in SdramTiming, rounded up.
    interval : int
        Between two refreshes, rounded down.
    power_up : int
        Before the first command, in refresh intervals.
    """

    cas: int
    rcd: int
    rp: int
    ras: int
    rc: int
    rfc: int
    rrd: int
    wr: int
    mrd: int
    interval: int
    power_up: int


@dataclass(frozen=True, kw_only=True)
class SdramTiming:
    """One part with 16 data pins.

    Parameters
    ----------
    name : str
    banks, rows, columns : int
        Powers of two; ``columns`` words a row.
    rcd : float
        ns, ACTIVATE to READ or WRITE.
    rp : float
        ns, PRECHARGE to ACTIVATE.
    ras : float
        ns, ACTIVATE to PRECHARGE.
    rc : float
        ns, ACTIVATE to ACTIVATE of the same bank.
    rfc : float
        ns, REFRESH to the next command.
    rrd : float
        ns, ACTIVATE to ACTIVATE of another bank.
    wr : float
        ns, last word written to PRECHARGE.
    mrd : float
        ns, MODE to the next command.
    rrd_cycles, wr_cycles, mrd_cycles : int
        Of these times, clock cycles that must pass at any clock.
    cas2 : float
        ns, shortest clock period at CAS latency 2.
    cas3 : float
        ns, shortest clock period at CAS latency 3: of the part as such.
    refresh_ms : float
        In which every row must be refreshed.
    power_up : float
        ns of stable clock before the first command.
    """

    name: str
    banks: int = 4
    rows: int = 8192
    columns: int = 512
    rcd: float
    rp: float
    ras: float
    rc: float
    rfc: float
    rrd: float
    wr: float
    mrd: float
    rrd_cycles: int = 1
    wr_cycles: int = 1
    mrd_cycles: int = 2
    cas2: float
    cas3: float
    refresh_ms: float = 64
    power_up: float = 200_000

    def __post_init__(self):
        # Address pin 10 means something else in column commands, and must be there.
        for name, least, most in (("banks", 2, 4), ("rows", 2048, 8192), ("columns", 128, 1024)):
            value = getattr(self, name)
            if not isinstance(value, int) or not least <= value <= most or value & (value - 1):
                raise ValueError(f"{name} is {value!r}, accepted is a power of two, {least} to "
                                 f"{most}")
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name != "name" and not value > 0:
                raise ValueError(f"{item.name} is {value!r}, accepted is a positive number")

    @property
    def size(self):
        """Bytes."""
        return self.banks * self.rows * self.columns * DATA_BITS // 8

    @property
    def interval(self):
        """Average ns between two refreshes."""
        return self.refresh_ms * 1e6 / self.rows

    def cycles(self, mhz, *, cas=None):
        """Times in cycles.

        Parameters
        ----------
        mhz : float
            Clock.
        cas : int, optional
            CAS latency; by default the shortest that the clock allows.

        Raises
        ------
        ValueError
            For a clock too fast for the part, or for the CAS latency asked for.
        """
        limits = {2: 1e3 / self.cas2, 3: 1e3 / self.cas3}
        if cas is None:
            cas = 2 if mhz <= limits[2] + 1e-6 else 3
        if cas not in limits:
            raise ValueError(f"cas is {cas!r}, accepted is 2 or 3")
        if not 0 < mhz <= limits[cas] + 1e-6:
            raise ValueError(f"mhz is {mhz!r}, accepted by {self.name} at CAS latency {cas} is at "
                             f"most {limits[cas]:.1f}")

        def up(ns, least=1):
            return max(least, math.ceil(round(ns * mhz / 1e3, 6)))

        interval = math.floor(self.interval * mhz / 1e3)
        return SdramCycles(
            cas=cas, rcd=up(self.rcd), rp=up(self.rp), ras=up(self.ras), rc=up(self.rc),
            rfc=up(self.rfc), rrd=up(self.rrd, self.rrd_cycles), wr=up(self.wr, self.wr_cycles),
            mrd=up(self.mrd, self.mrd_cycles), interval=interval,
            power_up=math.ceil(up(self.power_up) / interval))


def slowest(name, *parts):
    """A part that is as small, and as slow in everything, as any of ``parts``."""
    most = {item.name: max(getattr(part, item.name) for part in parts)
            for item in dataclasses.fields(SdramTiming) if item.name != "name"}
    least = {key: min(getattr(part, key) for part in parts)
             for key in ("banks", "rows", "columns", "refresh_ms")}
    return SdramTiming(**{**most, **least, "name": name})


# From the makers' data sheets, commercial temperature range. Each lets a row stay open for 100 us
# or more, which is longer than eight refresh intervals.
PARTS = {part.name: part for part in (
    # ISSI IS42S83200G/16160G, "AC electrical characteristics"; tDPL is wr.
    SdramTiming(name="IS42S16160G-7", rcd=15, rp=15, ras=37, rc=60, rfc=60, rrd=14, wr=14,
                mrd=14, cas2=10, cas3=7),
    # ISSI IS42S83200B/16160B, likewise; of tMRD the table of latencies has two cycles.
    SdramTiming(name="IS42S16160B-7", rcd=20, rp=20, ras=45, rc=67.5, rfc=67.5, rrd=14, wr=14,
                mrd=15, cas2=10, cas3=7),
    # Alliance AS4C16M16SA-C&I rev. 3.0, table 16.
    SdramTiming(name="AS4C16M16SA-7", rcd=21, rp=21, ras=42, rc=63, rfc=63, rrd=14, wr=14,
                mrd=14, cas2=10, cas3=7),
    # Alliance AS4C32M16SB rev. 1.0, table 16.
    SdramTiming(name="AS4C32M16SB-7", columns=1024, rcd=21, rp=21, ras=42, rc=63, rfc=63, rrd=14,
                wr=14, mrd=14, cas2=10, cas3=7),
    # Winbond W9825G6JH rev. A04, table 9.5, whose successor KH is; tRRD, tWR and tRSC in cycles.
    SdramTiming(name="W9825G6KH-6", rcd=15, rp=15, ras=42, rc=60, rfc=60, rrd=12, rrd_cycles=2,
                wr=12, wr_cycles=2, mrd=12, cas2=7.5, cas3=6),
    # Micron "256Mb: x4, x8, x16 SDRAM", the slowest grade: ULX3S v2 and v3.0.3 have one of them.
    SdramTiming(name="MT48LC16M16A2-75", rcd=20, rp=20, ras=44, rc=66, rfc=66, rrd=15, wr=15,
                mrd=15, cas2=10, cas3=7.5),
)}
# Boards of one name come with several of these; an unused column address pin stays low.
PARTS["any-32MiB-7"] = slowest("any-32MiB-7", *PARTS.values())
