"""Every constant of the timing model: depths and latencies of the chip, as hw builds it.

None of them belongs to a network or a configuration. Times are cycles.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.spec.config import Config

__all__ = ["BURST_BOUNDARY", "Timing", "fetch_cycles", "slots", "transfer_beats"]

BURST_BOUNDARY = 4096


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Depths of buffers and lengths of pipelines.

    Parameters
    ----------
    fetch_run : int
        Instructions fetched with one run.
    fetch_held : int
        Instructions asked for and not dispatched at most.
    fetch_beats : int
        Depth of the FIFO in front of the dispatcher.
    fetch_beat : int
        From a beat being offered by the fetch's FIFO to its being offered to the dispatcher.
    whole : int
        From the last beat of an instruction leaving its queue, to its being wanted.
    drained : int
        From nothing being under way to the dispatcher knowing it.
    semaphore : int
        From retirement to the unit being offered the instruction that waits for it.
    settle : int
        From END finding everything finished to the end of the run, less one.
    run : int
        From a unit taking a LOAD, STORE or LOG to its first run.
    runs_ahead : int
        Runs of LOADs asked for whose last beat has not been used.
    loads_asked : int
        LOADs of words that the gather has, at most.
    split : int
        From a run to its first burst.
    burst : int
        From a burst being offered, and having room or all its beats, to the decision to send it.
    address : int
        From the decision to ask for a burst to its address on the bus.
    read_fifo : int
        From a beat on the bus to its place of use.
    load_queue : int
        Beats that can wait between the read master's FIFO and what uses them.
    load_beat : int
        From a beat of a LOAD being offered by that FIFO to its place of use.
    haul : int
        From a beat leaving for the weight store to its being there.
    haul_places : int
        Beats that have left and were not taken, at most.
    haul_again : int
        From one of them being taken to a further one leaving.
    gather : int
        From a LOAD being handed over to its first word's place being known.
    load_pause : int
        Cycles between the last word of a LOAD and the first one of the next.
    gather_word : int
        From a word's place and beat being there to its write.
    gather_words : int
        Words that can wait for their write behind the gather.
    sunk : int
        From the last item of weights or words being taken, to the LOAD counting as done.
    word_read : int
        From reading a word of the scratchpad to its being there, but for the array.
    bank_read : int
        The same for the array.
    store_words : int
        From a unit taking a STORE or LOG to the first word being read.
    store_pack : int
        From a word being there to packing it.
    store_fifo : int
        From packing a beat's last word to the beat counting as there.
    store_data : int
        From the decision to write a burst to its first beat being offered.
    stores_taken : int
        STOREs and LOGs taken and not retired at most.
    ring : int
        From an item's write into a ring of the weight store to its being offered.
    ring_ahead : int
        Items of a ring that have been read and not taken, at most.
    ring_again : int
        From one of them being taken to a further one being read.
    parse : int
        From a beat of weights having come to the weight store to its being parsed.
    plan : int
        From the weight store having a MAC's command to the first entry or row being offered.
    plan_beats : int
        From then to the ring of parameters being set up.
    plan_lengths : int
        From then to the lengths of lane blocks being read.
    lengths_ahead : int
        Lane blocks whose lengths have been read, the one at hand included.
    residual : int
        From post-processing having an ADD to the first word it adds being read, less one.
    residual_taken : int
        From a word's last vector being taken to the word added to it leaving its place.
    issue : int
        From a row being issued to its entering column 0, which asks for its word then.
    column : int
        From then to the sums being loaded, if it is a tile's last.
    drain_told : int
        From a vector being taken to the drain knowing of it.
    drain_places : int
        Vectors that can wait between array and post-processing.
    post : int
        From an instruction's last vector being taken, and past, to its retirement.
    post_add : int
        Longer by this in PostMode.ADD; the next instruction's first vector waits as long.
    post_ahead : int
        MACs that post-processing has besides the one at hand, at most.
    image_item : int
        From a beat of a kernel image being used to its item's being in place.
    kernels : int
        DRP instructions taken and not retired at most.
    kernel : int
        From a DRP instruction being taken to its streams' first requests.
    kernel_end : int
        From a kernel's last write to its retirement.
    """

    fetch_run: int = 4
    fetch_held: int = 8
    fetch_beats: int = 32
    fetch_beat: int = 1
    whole: int = 2
    drained: int = 1
    semaphore: int = 2
    settle: int = 4
    run: int = 5
    runs_ahead: int = 16
    loads_asked: int = 2
    split: int = 2
    burst: int = 1
    address: int = 1
    read_fifo: int = 3
    load_queue: int = 4
    load_beat: int = 1
    haul: int = 3
    haul_places: int = 8
    haul_again: int = 3
    gather: int = 7
    load_pause: int = 2
    gather_word: int = 3
    gather_words: int = 4
    sunk: int = 1
    word_read: int = 3
    bank_read: int = 3
    store_words: int = 2
    store_pack: int = 3
    store_fifo: int = 1
    store_data: int = 2
    stores_taken: int = 4
    ring: int = 5
    ring_ahead: int = 8
    ring_again: int = 2
    parse: int = 1
    plan: int = 12
    plan_beats: int = 1
    plan_lengths: int = 2
    lengths_ahead: int = 11
    residual: int = 2
    residual_taken: int = 13
    issue: int = 2
    column: int = 5
    drain_told: int = 2
    drain_places: int = 16
    post: int = 17
    post_add: int = 15
    post_ahead: int = 2
    image_item: int = 5
    kernels: int = 4
    kernel: int = 13
    kernel_end: int = 3

    @property
    def load_start(self) -> int:
        """From a LOAD being taken to its first address, if nothing is in its way."""
        return self.run + self.split + self.burst + self.address

    @property
    def load_data(self) -> int:
        """From a beat on the bus to the cycle after its use."""
        return self.read_fifo + self.load_beat + 1

    @property
    def fetch_word(self) -> int:
        """From taking an entry to its words being in the columns, if no two share a bank."""
        return 5 + self.bank_read

    @property
    def mac_start(self) -> int:
        """From a MAC being offered to its first row, besides Q cycles for the windows of its
        first tile."""
        return 5 + self.fetch_word

    @property
    def sums(self) -> int:
        """From a tile's last row to its sums being loaded in column 0."""
        return self.issue + self.column

    @property
    def drain(self) -> int:
        """From a tile's last row to its first vector of D accumulators being offered."""
        return self.sums + 4

    @property
    def store_ahead(self) -> int:
        """Words read and not packed at most, the one that is turned included."""
        return self.word_read + 4

    @property
    def store_start(self) -> int:
        """From a STORE being taken to its first beat being whole."""
        return (self.store_words + self.word_read + self.store_pack + self.store_fifo
                + 1)

    @property
    def store_end(self) -> int:
        """From a STORE's last beat being whole to its being on the bus, and from its response
        to its retirement."""
        return self.store_data + self.address + 1


def slots(config: Config) -> int:
    """Entries whose words can wait in front of each column."""
    return 16 if config.columns <= 8 else 32


def transfer_beats(config: Config, address: NDArray, size: int) -> NDArray:
    """Bus beats that runs of ``size`` bytes at byte addresses [runs] touch, [runs]."""
    return -(-(address % config.group + size) // config.group)


def fetch_cycles(config: Config, address: NDArray, used: NDArray) -> NDArray:
    """Cycles to fetch one word per column: the most words that share a bank, at least 1.

    Parameters
    ----------
    address : ndarray [tiles, Q]
        Word address of each column's window. An entry's offset moves all of them alike and so
        doesn't change which ones share a bank.
    used : ndarray [tiles, Q] bool
        Columns that read (have a pixel, inside the input).

    Returns
    -------
    ndarray [tiles] int64
    """
    bank = np.where(used, address % config.banks, -1)
    most = np.ones(len(bank), np.int64)
    for index in range(config.banks):
        np.maximum(most, (bank == index).sum(axis=1), out=most)
    return most
