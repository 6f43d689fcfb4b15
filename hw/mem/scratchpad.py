"""Banks of activation words, with a private port for the array and one that all others share."""

from amaranth.hdl import Assert, Cat, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In

from hw.drp.words import TileRead
from hw.drp.words import word_write_layout as tile_write_layout
from hw.interfaces import BankRead, WordRead, beside, word_write_layout
from hw.wide_mux import wide_mux

__all__ = ["Scratchpad"]


class Scratchpad(wiring.Component):
    """``config.words`` words of M bytes in ``config.banks`` banks, two ports each.

    The low bits of a word address select the bank; addresses are taken modulo the size, users
    check ranges. A word must not be read by the array in the cycle in which it is written (the
    block RAM then gives neither value for sure): semaphores between instructions see to that.

    Parameters
    ----------
    config : Config
    check : bool
        Assert, in simulation, that no word is read and written in one cycle.

    Members
    -------
    array : In(BankRead)
        Every bank by itself, never waits.
    post_write, load_write : In(stream of word_write_layout)
    post_read, store_read : In(WordRead)
    tile_write : In(stream of hw.drp.words.word_write_layout)
    tile_read : In(TileRead)
        Of a chip with a DRP.

    Timing
    ------
    Reads: data WordRead.LATENCY cycles after the transfer; the array's, BankRead.LATENCY cycles
    after ``en``, held until the next. In every bank the shared port belongs, in each cycle, to the
    first that asks of post_write, post_read, load_write, tile_write, tile_read, store_read;
    clients that ask different banks don't see each other. There are registers in front of both
    ports and behind: a written word can be read from the next cycle on.
    """

    def __init__(self, config, *, check=False):
        self.config, self.check = config, check
        write = stream.Signature(word_write_layout(config))
        super().__init__({
            "array": In(BankRead(config)),
            "post_write": In(write),
            "load_write": In(write),
            "post_read": In(WordRead(config)),
            "store_read": In(WordRead(config)),
            **({"tile_write": In(stream.Signature(tile_write_layout(config.group))),
                "tile_read": In(TileRead(config.group))} if config.fabric else {}),
        })

    def elaborate(self, platform):
        m = Module()
        tiled = bool(self.config.fabric)
        # In order of priority: (stream, its word address, whether it writes).
        clients = [(self.post_write, self.post_write.p.addr, True),
                   (self.post_read.addr, self.post_read.addr.p, False),
                   (self.load_write, self.load_write.p.addr, True)]
        reads = [("post", self.post_read), ("store", self.store_read)]
        if tiled:
            clients += [(self.tile_write, self.tile_write.p.addr, True),
                        (self.tile_read.addr, self.tile_read.addr.p, False)]
            reads.append(("tile", self.tile_read))
        clients.append((self.store_read.addr, self.store_read.addr.p, False))
        banks = [self._bank_of(address) for _, address, _ in clients]
        for index, (port, _, _) in enumerate(clients):
            blocked = Cat(earlier.valid & (banks[before] == banks[index])
                          for before, (earlier, _, _) in enumerate(clients[:index]))
            m.d.comb += port.ready.eq(~blocked.any())

        outputs = []
        for index in range(self.config.banks):
            asks = [port.valid & (bank == index)
                    for (port, _, _), bank in zip(clients, banks, strict=True)]
            bank = _Bank(self.config, check=self.check)
            m.submodules[f"bank_{index}"] = bank
            output = Signal.like(bank.data, name=f"output_{index}", reset_less=True)
            outputs.append(output)
            row = Signal.like(bank.row, name=f"row_{index}", reset_less=True)
            data = Signal.like(bank.write_data, name=f"data_{index}", reset_less=True)
            write = Signal(name=f"write_{index}")
            next_row, next_write, next_data = self._row_of(clients[-1][1]), 0, None
            for ask, (port, address, writes) in reversed(list(zip(asks, clients, strict=True))):
                next_row = Mux(ask, self._row_of(address), next_row)
                next_write = Mux(ask, int(writes), next_write)
                if writes:
                    next_data = (port.p.data if next_data is None
                                 else Mux(ask, port.p.data, next_data))
            m.d.sync += [output.eq(bank.data), row.eq(next_row), write.eq(next_write),
                         data.eq(next_data)]
            m.d.comb += [
                bank.row.eq(row),
                bank.write.eq(write),
                bank.write_data.eq(data),
            ]
            if tiled:
                strobe = Signal.like(bank.strobe, name=f"strobe_{index}", reset_less=True)
                m.d.sync += strobe.eq(Mux(asks[0] | asks[2], ~0, self.tile_write.p.strobe))
                m.d.comb += bank.strobe.eq(strobe)
            self._array(m, bank, index)

        for name, read in reads:
            valid, bank = read.addr.valid & read.addr.ready, self._bank_of(read.addr.p)
            for stage in range(WordRead.LATENCY):
                now, valid = valid, Signal(name=f"valid_{stage}")
                where, bank = bank, Signal(self.config.bank_bits, name=f"bank_{stage}")
                m.d.sync += [valid.eq(now), bank.eq(where)]
            m.d.comb += read.data.eq(wide_mux(m, name, outputs, bank))
            if "valid" in read.signature.members:
                m.d.comb += read.valid.eq(valid)
        return m

    def _array(self, m, bank, index):
        """The array's port of a bank: a register in front of the block RAM and one behind."""
        row = Signal.like(bank.array_row, name=f"array_row_{index}", reset_less=True)
        en = Signal(name=f"array_en_{index}")
        output = Signal.like(bank.array_data, name=f"array_output_{index}", reset_less=True)
        m.d.sync += [
            row.eq(self.array.row[index]),
            en.eq(self.array.en[index]),
            output.eq(bank.array_data),
        ]
        m.d.comb += [
            bank.array_row.eq(row),
            bank.array_en.eq(en),
            self.array.data[index].eq(output),
        ]

    def _bank_of(self, address):
        return address[:self.config.bank_bits]

    def _row_of(self, address):
        return address[self.config.bank_bits:self.config.address_bits]


class _Bank(wiring.Component):
    """One bank: a read port, and a port that reads unless ``write``, both one cycle.

    With a DRP only the bytes of ``strobe`` are written.

    In its RAM the bytes of lanes that are drained together lie side by side, as these lanes do.
    """

    def __init__(self, config, *, check):
        self.config, self.rows, self.check = config, config.bank_words, check
        row, word = range(config.bank_words), 8 * config.group
        self.word = word
        super().__init__({
            "array_en": In(1), "array_row": In(row), "array_data": In(word).flip(),
            "row": In(row), "write": In(1), "write_data": In(word), "data": In(word).flip(),
            **({"strobe": In(config.group)} if config.fabric else {}),
        })

    def elaborate(self, platform):
        m = Module()
        # Without the attribute the two read ports are emulated in LUTs where they meet a write.
        m.submodules.ram = ram = memory.Memory(shape=self.word, depth=self.rows, init=[],
                                               attrs={"no_rw_check": 1})
        tiled = bool(self.config.fabric)
        array, shared = ram.read_port(), ram.read_port()
        write = ram.write_port(granularity=8 if tiled else None)
        m.d.comb += [
            array.en.eq(self.array_en),
            array.addr.eq(self.array_row),
            self._beside(self.array_data).eq(array.data),
            # One address for both, so that they become one port of a true dual-port block.
            shared.addr.eq(self.row),
            write.addr.eq(self.row),
            shared.en.eq(~self.write),
            self._beside(self.data).eq(shared.data),
            write.en.eq(Cat(self.strobe[byte] & self.write for byte in beside(self.config))
                        if tiled else self.write),
            write.data.eq(self._beside(self.write_data)),
        ]
        if self.check:
            m.d.sync += Assert(~(self.array_en & self.write & (self.array_row == self.row)),
                               "a scratchpad word is read and written in one cycle")
        return m

    def _beside(self, word):
        """A word's bytes in the order of the RAM."""
        return Cat(word.word_select(byte, 8) for byte in beside(self.config))
