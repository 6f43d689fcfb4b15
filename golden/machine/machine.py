"""The whole chip at instruction level."""

from golden.machine.account import Account
from golden.machine.bus import Bus
from golden.machine.drp import Drp
from golden.machine.errors import UndefinedError
from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel
from golden.machine.load import Load
from golden.machine.mac import Mac
from golden.machine.memory import Dram, OnChip
from golden.machine.races import Races
from golden.machine.read_master import ReadMaster
from golden.machine.sequencer import Sequencer
from golden.machine.shared_port import SharedPort
from golden.machine.store import Store
from golden.machine.timing import Timing
from golden.machine.weight_store import WeightStore
from golden.spec.config import Config
from golden.spec.registers import COUNTERS, DRP_COUNTERS

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
    computes : bool
        Compute what MACs write; without, the cycles are the same, and the outputs undefined.

    Members
    -------
    dram : Dram
        Memory (``dram.data``) and regions (``dram.regions``), the caller's to fill.
    chip : OnChip
        Scratchpad and tables; they keep their contents between runs.
    counters : dict of str to int
        Of the last run, named as in ``registers.COUNTERS`` and ``DRP_COUNTERS``.
    instructions : list of Instruction
        Of the last run, with the cycles at which they started and ended.
    fetched : int
        Instructions fetched in the last run.
    semaphores_waited : int
        Mask of semaphores that queue heads lacked when the last run ended.
    """

    def __init__(self, config: Config, dram_bytes: int, *, timing: Timing | None = None,
                 check_races: bool = True, computes: bool = True) -> None:
        self._config = config
        self._timing = timing or Timing()
        self._check_races, self._computes = check_races, computes
        self.dram = Dram(dram_bytes)
        self.chip = OnChip(config)
        self.counters = {item.name: 0 for item in COUNTERS + DRP_COUNTERS}
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
        config, timing, kernel, account = self._config, self._timing, Kernel(), Account()
        races = Races(config) if self._check_races else None
        bus, shared = Bus(config, kernel), SharedPort(config)
        reads = ReadMaster(config, timing, kernel, bus, account)
        sequencer = Sequencer(config, timing, kernel, self.dram, reads.fetch, account, races)
        store = WeightStore(config, timing, kernel)
        load = Load(config, timing, kernel, sequencer, reads.load, self.dram, self.chip, store,
                    shared, account, races)
        mac = Mac(config, timing, kernel, sequencer, self.chip, store, shared, account, races,
                  self._computes)
        out = Store(config, timing, kernel, sequencer, bus, self.dram, self.chip, shared, account,
                    races)
        drp = Drp(config, timing, kernel, sequencer, self.chip, account,
                  races).processes() if config.fabric else []
        for process in (*sequencer.processes(address, size), *load.processes(), *mac.processes(),
                        *out.processes(), *drp, reads.process(), bus.process()):
            kernel.resume(0, process)
        try:
            kernel.run(lambda: sequencer.finished)
            if not sequencer.finished:
                raise sequencer.deadlock()
            if store.leftover():
                raise UndefinedError(f"the weight store still has {store.leftover()} at END")
        finally:
            self.counters = account.before(sequencer.cycles or kernel.now + 1)
            self.instructions = sequencer.instructions
            self.fetched = sequencer.fetched
            self.semaphores_waited = sequencer.waited()
        return self.counters
