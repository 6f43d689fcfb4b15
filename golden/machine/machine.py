"""The whole chip at instruction level."""

import numpy as np

from golden.machine.errors import UndefinedError
from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process
from golden.machine.load import Load
from golden.machine.mac import Mac
from golden.machine.memory import Dram, OnChip
from golden.machine.races import Races
from golden.machine.sequencer import Sequencer
from golden.machine.store import Store
from golden.machine.timing import Timing
from golden.machine.weight_store import WeightStore
from golden.spec.config import Config
from golden.spec.isa import Unit
from golden.spec.registers import COUNTERS

__all__ = ["Machine"]


class Machine:
    """Executes compiled programs as golden.spec states them, and estimates their cycles.

    Parameters
    ----------
    config : Config
    dram_bytes : int
        Size of the simulated memory.
    timing : Timing
        Constants of the timing model.
    check_races : bool
        Refuse programs in which no semaphore orders two accesses to a word (see `Races`).

    Members
    -------
    dram : Dram
        Memory (``dram.data``) and regions (``dram.regions``), the caller's to fill.
    chip : OnChip
        Scratchpad and tables; they keep their contents between runs.
    counters : dict of str to int
        Of the last run, named as in ``registers.COUNTERS``.
    instructions : list of Instruction
        Of the last run, with the cycles at which they started and ended.
    fetched : int
        Instructions fetched in the last run.
    semaphores_waited : int
        Mask of semaphores that queue heads lacked when the last run ended.
    """

    def __init__(self, config: Config, dram_bytes: int, *, timing: Timing | None = None,
                 check_races: bool = True) -> None:
        self._config = config
        self._timing = timing or Timing()
        self._check_races = check_races
        self.dram = Dram(config, dram_bytes)
        self.chip = OnChip(config)
        self.counters = {item.name: 0 for item in COUNTERS}
        self.instructions: list[Instruction] = []
        self.fetched = 0
        self.semaphores_waited = 0

    def run(self, address: int, size: int) -> dict[str, int]:
        """Execute a program until END.

        Parameters
        ----------
        address : int
            Byte address of the first instruction.
        size : int
            Length of the program in bytes.

        Returns
        -------
        dict of str to int
            The counters.

        Raises
        ------
        MachineError
            Where the chip would enter its error state; a deadlock is Cause.WATCHDOG.
        UndefinedError
            Where golden.spec leaves open what the chip does.
        """
        kernel = Kernel()
        counts = {item.name: 0.0 for item in COUNTERS}
        self.dram.restart()
        races = Races(self._config) if self._check_races else None
        sequencer = Sequencer(self._config, self._timing, kernel, self.dram, counts, races)
        store = WeightStore(self._config, kernel)
        load = Load(self._config, self._timing, kernel, self.dram, self.chip, store, counts,
                    races)
        mac = Mac(self._config, self._timing, kernel, self.chip, store, counts, races)
        out = Store(self._config, self._timing, kernel, self.dram, self.chip, counts, races)
        for process in (self._load(sequencer, load), load.finish(sequencer.retire),
                        self._mac(sequencer, mac),
                        self._store(sequencer, out), sequencer.process(address, size)):
            kernel.resume(0, process)
        try:
            kernel.run(lambda: sequencer.finished)
            if not sequencer.finished:
                raise sequencer.deadlock()
            if store.leftover():
                raise UndefinedError(f"the weight store still has {store.leftover()} at END")
        finally:
            counts["cycles"] = kernel.now
            self.counters = {name: int(np.ceil(value)) for name, value in counts.items()}
            self.instructions = sequencer.instructions
            self.fetched = sequencer.fetched
            self.semaphores_waited = sequencer.waited()
        return self.counters

    @staticmethod
    def _load(sequencer: Sequencer, load: Load) -> Process:
        while True:
            yield from sequencer.next(Unit.LOAD, waits="load_wait_semaphore",
                                      busy=lambda: load.busy)
            yield from load.begin(sequencer.take(Unit.LOAD))

    @staticmethod
    def _store(sequencer: Sequencer, store: Store) -> Process:
        while True:
            yield from sequencer.next(Unit.STORE)
            instruction = sequencer.take(Unit.STORE)
            yield from store.execute(instruction)
            sequencer.retire(instruction)

    @staticmethod
    def _mac(sequencer: Sequencer, mac: Mac) -> Process:
        while True:
            yield from sequencer.next(Unit.MAC, waits="mac_wait_semaphore", idle="mac_idle",
                                      busy=lambda: mac.busy)
            instruction = sequencer.take(Unit.MAC)
            yield from mac.execute(instruction, sequencer.retire)
