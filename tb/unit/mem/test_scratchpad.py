"""Scratchpad: contents, priorities, independence of banks, the check, block RAM count."""

import random
from collections import deque

import pytest
from amaranth.sim import Simulator

from golden.spec.config import preset
from hw.interfaces import BankRead, WordRead
from hw.mem.scratchpad import Scratchpad
from tb.pysim import simulate
from tb.yosys import cells

CONFIGS = {
    "tiny": preset("tiny"),
    "base": preset("base", bank_words=16),
    "tiny_drp": preset("tiny_drp"),
    "one_bank": preset("tiny", banks=1, bank_words=16),
    "two_banks": preset("tiny", banks=2, bank_words=32, lanes=8, drain=4),
}
ORDER = ("post_write", "post_read", "load_write", "tile_write", "tile_read", "store_read")


def clients_of(config):
    return [client for client in ORDER if config.fabric or not client.startswith("tile")]


def merged(before, word, strobe):
    """A word of which only the bytes of ``strobe`` are new."""
    mask = sum(0xFF << 8 * byte for byte in range(strobe.bit_length()) if strobe >> byte & 1)
    return before & ~mask | word & mask


def port_of(dut, name):
    port = getattr(dut, name)
    return port.addr if name.endswith("read") else port


def address_of(port, name):
    return port.p if name.endswith("read") else port.p.addr


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(2))
def test_random_traffic(name, seed):
    """Every cycle: who is served, what is read; against a dictionary and the stated priority."""
    config, rng = CONFIGS[name], random.Random(seed)
    dut, order = Scratchpad(config, check=True), clients_of(config)
    words = min(config.words, 4 * config.banks)  # few, so that clients meet

    async def bench(ctx):
        stored = dict.fromkeys(range(words), 0)
        array_data = [0] * config.banks
        array_flight = deque([{}] * (BankRead.LATENCY - 1))  # what the array reads, on its way
        offers, late = {}, {}
        answers = deque([{}] * WordRead.LATENCY)  # of the cycles to come
        for cycle in range(600):
            where = f"{name} seed {seed} cycle {cycle}"
            for client in order:
                port = port_of(dut, client)
                if client not in offers and rng.random() < 0.6:
                    strobe = (rng.getrandbits(config.group) if client == "tile_write"
                              else (1 << config.group) - 1)
                    offers[client] = (rng.randrange(words), rng.getrandbits(8 * config.group),
                                      strobe)
                ctx.set(port.valid, client in offers)
                if client in offers:
                    address, word, strobe = offers[client]
                    # Bits above the size of the scratchpad are ignored.
                    beyond = rng.getrandbits(16 - config.address_bits) << config.address_bits
                    ctx.set(address_of(port, client), address | beyond)
                    if client.endswith("write"):
                        ctx.set(port.p.data, word)
                    if client == "tile_write":
                        ctx.set(port.p.strobe, strobe)
            # Who must be served: the first that asks, in each bank.
            served = {}
            for client in order:
                if client in offers:
                    served.setdefault(offers[client][0] % config.banks, client)
            stored.update(late)  # a write is done in the cycle after its transfer
            writes = {address: merged(stored[address], word, strobe) for address, word, strobe in
                      (offers[c] for c in served.values() if c.endswith("write"))}
            rows, given = {}, answers.popleft()
            for bank in range(config.banks):
                row = rng.randrange(words // config.banks)
                enable = rng.random() < 0.6 and row * config.banks + bank not in writes
                ctx.set(dut.array.en[bank], enable)
                ctx.set(dut.array.row[bank], row)
                if enable:
                    rows[bank] = row
            for client in order:
                if client in offers:
                    ready = ctx.get(port_of(dut, client).ready)
                    assert ready == (client in served.values()), f"{where}: {client}"
            for client in (client for client in order if client.endswith("read")):
                valid = client in given
                if client != "tile_read":  # which counts cycles instead
                    assert ctx.get(getattr(dut, client).valid) == valid, f"{where}: {client}"
                if valid:
                    assert ctx.get(getattr(dut, client).data) == given[client], where
            for bank in range(config.banks):
                assert ctx.get(dut.array.data[bank]) == array_data[bank], where
            await ctx.tick()
            answers.append({c: stored[offers[c][0]] for c in served.values()
                            if c.endswith("read")})
            array_flight.append({bank: stored[row * config.banks + bank]
                                 for bank, row in rows.items()})
            for bank, word in array_flight.popleft().items():
                array_data[bank] = word
            late = writes
            for client in served.values():
                del offers[client]

    simulate(dut, bench, cycles=1000)


def test_check_fires():
    """The array reads the word that the load unit writes."""
    dut = Scratchpad(CONFIGS["tiny"], check=True)

    async def bench(ctx):
        ctx.set(dut.load_write.payload, {"addr": 4 * 3 + 1, "data": 7})
        ctx.set(dut.load_write.valid, 1)
        ctx.set(dut.array.en[1], 1)
        ctx.set(dut.array.row[1], 2)
        await ctx.tick()  # another row: fine
        ctx.set(dut.array.row[1], 3)
        await ctx.tick()
        await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    with pytest.raises(AssertionError, match="read and written in one cycle"):
        sim.run()


@pytest.mark.parametrize("drp", ["none", "base"])
def test_block_ram(drp):
    """A bank of 1024 words of 128 bits is 8 DP16KD, and nothing is emulated."""
    found = cells(Scratchpad(preset("base", banks=1, bank_words=1024, drp=drp)))
    assert found["DP16KD"] == 8
    # Addresses, data to be written, and what both ports read.
    assert found["TRELLIS_FF"] < 3 * 128 + 48
