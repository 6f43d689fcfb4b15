"""An SDR SDRAM that checks how it is used, for pysim; and the parameters of its Verilog twin.

Both hold the same rules, on times in picoseconds that come from the part's description.
"""

from dataclasses import dataclass
from pathlib import Path

from hw.sdram.interface import AUTO_BIT, Command
from hw.sdram.timing import DATA_BITS

__all__ = ["VERILOG", "Pins", "SdramDevice", "SdramViolation", "serve", "verilog_parameters"]

VERILOG = Path(__file__).with_name("sdram_model.v")
TIMES = ("rcd", "rp", "ras", "rc", "rfc", "rrd", "wr", "mrd", "power_up")
LATE_REFRESHES = 8  # refreshes that may be owed
INITIAL_REFRESHES = 2
LONG_AGO = -(1 << 60)


class SdramViolation(AssertionError):
    """The part was not used as its data sheet says; the text begins with the rule's name."""


@dataclass
class Pins:
    """What the part sees at an edge of its clock."""

    cke: int = 1
    cs_n: int = 0
    ras_n: int = 1
    cas_n: int = 1
    we_n: int = 1
    ba: int = 0
    a: int = 0
    dqm: int = 0
    dq_o: int = 0
    dq_oe: int = 0


def picoseconds(part, mhz):
    """Times of the rules, and the clock's period, as integers by name."""
    period = round(1e6 / mhz)
    times = {name: max(round(getattr(part, name) * 1000),
                       getattr(part, f"{name}_cycles", 0) * period) for name in TIMES}
    return {**times, "interval": round(part.interval * 1000), "period": period}


def verilog_parameters(part, mhz, *, trip=0, power_up=None, fatal=1):
    """Parameters of module ``sdram_model`` by name.

    ``trip`` is in cycles of the part's clock, spent between its pins and ours: 1 with a clock that
    lags ours and a capture of CAS latency + 1. ``power_up`` is in ns.
    """
    times = picoseconds(part, mhz)
    if power_up is not None:
        times["power_up"] = round(power_up * 1000)
    return {**{f"{name.upper()}_PS": value for name, value in times.items()},
            "BANK_BITS": part.banks.bit_length() - 1, "ROW_BITS": part.rows.bit_length() - 1,
            "COLUMN_BITS": part.columns.bit_length() - 1, "LATE_REFRESHES": LATE_REFRESHES,
            "INITIAL_REFRESHES": INITIAL_REFRESHES, "TRIP": trip, "FATAL": fatal}


class SdramDevice:
    """One part. Bursts may not be interrupted, nor precharged automatically.

    Parameters
    ----------
    part : SdramTiming
    mhz : float
        Clock.

    Members
    -------
    data : bytearray
        Contents by byte address: row, bank, column from the top.
    counts : dict
        Commands seen, by Command.
    columns : list of int
        Edges of READ and WRITE.
    """

    def __init__(self, part, *, mhz):
        self.part, self.times = part, picoseconds(part, mhz)
        self.data = bytearray(part.size)
        self.counts = dict.fromkeys(Command, 0)
        self.columns = []
        self.edge = 0
        self.now = 0  # ps
        self.rows = [None] * part.banks
        self.opened = [LONG_AGO] * part.banks
        self.closed = [LONG_AGO] * part.banks
        self.busy = [LONG_AGO] * part.banks  # from when on a column burst lets it be precharged
        self.any_opened = self.refreshed = self.moded = LONG_AGO
        self.refreshes, self.since = 0, None  # since initialization
        self.precharged = False
        self.burst = self.cas = None
        self.column_free = 0  # edge from which on the next burst may begin
        self.drives = {}  # edge: (bank, row, column) of the word read
        self.takes = {}  # edge: likewise of the word written
        self.masks = {}
        self.drove = self.driven = False  # by the part, by us, at the edge before

    def step(self, pins):
        """One edge. Returns the word that is to be seen at the next one, None if none is."""
        self.now = self.edge * self.times["period"]
        self._need(pins.cke or self.edge == 0, "cke", "low")
        if not pins.cs_n:
            command = Command(pins.ras_n << 2 | pins.cas_n << 1 | pins.we_n) \
                if (pins.ras_n, pins.cas_n, pins.we_n) != (1, 1, 0) else None
            self._need(command is not None, "command", "burst terminate")
            self.counts[command] += 1
            if command != Command.NOP:
                self._command(command, pins)
        self._refresh_in_time()
        self._bus(pins)
        self.masks[self.edge] = pins.dqm
        self.masks.pop(self.edge - 4, None)
        self.edge += 1
        return self._word(self.edge)

    def _need(self, good, rule, text):
        if not good:
            raise SdramViolation(f"{rule}: {text} at {self.now / 1000:g} ns")

    def _since(self, then, rule, what):
        least = self.times[rule]
        self._need(self.now - then >= least, rule,
                   f"{what} after {(self.now - then) / 1000:g} ns, accepted is at least "
                   f"{least / 1000:g} ns")

    def _command(self, command, pins):
        name = command.name
        self._need(self.now >= self.times["power_up"], "power_up", name)
        self._since(self.refreshed, "rfc", name)
        self._since(self.moded, "mrd", name)
        if command in (Command.ACTIVATE, Command.READ, Command.WRITE):
            self._need(self.burst is not None, "initialization", f"{name} before it")
        {Command.MODE: self._mode, Command.REFRESH: self._refresh,
         Command.PRECHARGE: self._precharge, Command.ACTIVATE: self._activate,
         Command.READ: self._column, Command.WRITE: self._column}[command](command, pins)

    def _mode(self, command, pins):
        self._all_closed(command)
        self._need(self.refreshes >= INITIAL_REFRESHES, "initialization",
                   f"MODE after {self.refreshes} refreshes")
        self._need(pins.a & 7 <= 3 and not pins.a & 0x388 and pins.a >> 4 & 7 in (2, 3)
                   and pins.a >> 10 == 0 and pins.ba == 0, "mode", f"{pins.a:#x}")
        self.burst, self.cas, self.moded = 1 << (pins.a & 7), pins.a >> 4 & 7, self.now
        self.refreshes, self.since = 0, self.now

    def _refresh(self, command, pins):
        self._need(self.precharged, "initialization", "REFRESH before PRECHARGE")
        self._all_closed(command)
        self.refreshed = self.now
        self.refreshes += 1

    def _all_closed(self, command):
        for bank, row in enumerate(self.rows):
            self._need(row is None, "state", f"{command.name} with bank {bank} open")
        self._since(max(self.closed), "rp", command.name)

    def _precharge(self, command, pins):
        every = pins.a >> AUTO_BIT & 1
        self.precharged |= bool(every)
        for bank in range(self.part.banks) if every else (pins.ba,):
            if self.rows[bank] is not None:
                self._since(self.opened[bank], "ras", command.name)
                self._need(self.now >= self.busy[bank], "wr",
                           f"PRECHARGE {(self.busy[bank] - self.now) / 1000:g} ns early")
            self.rows[bank], self.closed[bank] = None, self.now

    def _activate(self, command, pins):
        bank = pins.ba
        self._need(self.rows[bank] is None, "state", f"ACTIVATE of open bank {bank}")
        self._since(self.closed[bank], "rp", command.name)
        self._since(self.opened[bank], "rc", command.name)
        self._since(self.any_opened, "rrd", command.name)
        self.rows[bank], self.opened[bank] = pins.a, self.now
        self.any_opened = self.now

    def _column(self, command, pins):
        bank, row = pins.ba, self.rows[pins.ba]
        self._need(row is not None, "state", f"{command.name} of closed bank {bank}")
        self._since(self.opened[bank], "rcd", command.name)
        self._need(not pins.a >> AUTO_BIT & 1, "command", "automatic precharge")
        self._need(self.edge >= self.column_free, "burst", f"{command.name} interrupts one")
        self.column_free = self.edge + self.burst
        self.columns.append(self.edge)
        column, inside = pins.a % self.part.columns, self.burst - 1
        block = column & ~inside
        places = [(bank, row, block | (column + n & inside)) for n in range(self.burst)]
        period = self.times["period"]
        if command == Command.READ:
            self.drives |= {self.edge + self.cas + n: place for n, place in enumerate(places)}
            self.busy[bank] = self.now + self.burst * period
        else:
            self.takes |= {self.edge + n: place for n, place in enumerate(places)}
            self.busy[bank] = self.now + inside * period + self.times["wr"]

    def _refresh_in_time(self):
        if self.since is not None:
            due = (self.now - self.since) // self.times["interval"]
            self._need(due - self.refreshes <= LATE_REFRESHES, "refresh",
                       f"{due - self.refreshes} are owed")

    def _bus(self, pins):
        """Who drives the data pins; what is written."""
        place = self.drives.pop(self.edge, None)
        drives = place is not None
        # Who lets go of the pins needs longer than the other one to take them.
        self._need(not (pins.dq_oe and (drives or self.drove)), "contention", "both drive dq")
        self._need(not (drives and self.driven), "contention", "both drive dq")
        self.drove, self.driven = drives, bool(pins.dq_oe)
        place = self.takes.pop(self.edge, None)
        if place is not None:
            self._need(pins.dq_oe, "data", "none driven for WRITE")
            at = self._address(place)
            for byte in range(DATA_BITS // 8):
                if not pins.dqm >> byte & 1:
                    self.data[at + byte] = pins.dq_o >> 8 * byte & 0xFF

    def _word(self, edge):
        if edge not in self.drives:
            return None
        mask = self.masks.get(edge - 2, 0)
        self._need(not mask, "mask", "of a word that is read")
        at = self._address(self.drives[edge])
        return int.from_bytes(self.data[at:at + DATA_BITS // 8], "little")

    def _address(self, place):
        bank, row, column = place
        return ((row * self.part.banks + bank) * self.part.columns + column) * (DATA_BITS // 8)


async def serve(ctx, pins, device, *, capture, rng):
    """Background bench: the device at the controller's pins.

    Its first word is there ``capture`` edges after READ left (at least CAS latency + 1); at other
    times the pins have anything.
    """
    names = list(Pins.__annotations__)
    delayed = None
    async for _, _, *values in ctx.tick().sample(*(getattr(pins, name) for name in names)):
        word = device.step(Pins(**dict(zip(names, values, strict=True))))
        if delayed is None and device.cas is not None:
            delayed = [None] * (capture - device.cas - 1)
        if delayed:
            delayed.append(word)
            word = delayed.pop(0)
        ctx.set(pins.dq_i, rng.getrandbits(DATA_BITS) if word is None else word)

