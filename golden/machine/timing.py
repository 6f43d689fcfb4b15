"""Every constant of the timing model, and the formulas that only need those.

None of them belongs to a network. The model knows no single cycles: it gives each instruction
and weight item times, from the counts that bound them. Times are cycles.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.spec.config import Config

__all__ = ["Timing", "fetch_cycles", "transfer_beats", "transfer_bursts"]

_BURST_BOUNDARY = 4096


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Fixed latencies, in cycles; calibrated against the RTL.

    Parameters
    ----------
    fetch_run : int
        Instructions fetched with one run.
    fetch_held : int
        Instructions asked for and not dispatched at most.
    fetch_start : int
        From START, or from the dispatch that makes room, to the run's address.
    fetch_latency : int
        From a run's first beat to the dispatcher having it.
    dispatch : int
        Cycles an instruction's dispatch takes besides its beats.
    queue : int
        From an instruction's last beat into an empty queue to its unit being offered it.
    load_start : int
        From a LOAD's semaphores to its first read address.
    load_data : int
        From a beat on the bus to its word, weight or table entry.
    load_gather : int
        The same for words, longer by this.
    load_pause : int
        Cycles between the last item of a LOAD and the first of the next one.
    load_end : int
        From its last word or beat to its retirement.
    loads_asked : int
        LOADs whose data is asked for and not all there, at most.
    load_burst : int
        Cycles between the addresses of two bursts.
    store_start : int
        From a STORE's semaphores to its first word.
    store_end : int
        From its last data beat to its retirement, beyond the memory's own latency.
    store_run : int
        Cycles between the last word of a run and the first one of the next.
    log : int
        Cycles of a LOG besides its beats.
    weight : int
        From a weight row's beat to the row being there for the array.
    mac_start : int
        From a MAC's semaphores to its first row, besides Q cycles for the windows of its first
        tile; hidden where the array is busy. Its semaphores are looked at when the last tile of
        the instruction before enters the array.
    drain : int
        From a tile's last row to its first vector of D accumulators being taken.
    drain_places : int
        Vectors that can wait between array and post-processing: a tile may end while at most
        this many of the tiles before it were not taken yet.
    post : int
        From an instruction's last vector being taken to its retirement.
    post_add : int
        Longer by this in PostMode.ADD; the next instruction's first vector waits as long.
    semaphore : int
        From retirement to the semaphores being seen.
    """

    fetch_run: int = 4
    fetch_held: int = 8
    fetch_start: int = 4
    fetch_latency: int = 3
    dispatch: int = 1
    queue: int = 2
    load_start: int = 7
    load_data: int = 3
    load_gather: int = 3
    load_pause: int = 2
    load_end: int = 1
    loads_asked: int = 2
    load_burst: int = 1
    store_start: int = 6
    store_end: int = 4
    store_run: int = 2
    log: int = 10
    weight: int = 4
    mac_start: int = 8
    drain: int = 7
    drain_places: int = 16
    post: int = 16
    post_add: int = 13
    semaphore: int = 2


def transfer_beats(config: Config, address: NDArray, size: int) -> NDArray:
    """Bus beats that runs of ``size`` bytes at byte addresses [runs] touch, [runs]."""
    return -(-(address % config.group + size) // config.group)


def transfer_bursts(config: Config, address: NDArray, size: int) -> NDArray:
    """Bursts of those runs, split at burst_beats and at 4 KiB, [runs]."""
    first = address - address % config.group
    beats = transfer_beats(config, address, size)
    pages = (first + beats * config.group - 1) // _BURST_BOUNDARY - first // _BURST_BOUNDARY
    return np.maximum(-(-beats // config.burst_beats), pages + 1)


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
