"""The Verilog that Amaranth writes: its ports, and what Icarus needs changed."""

import re

__all__ = ["for_icarus", "ports"]

_NAME = r"\\\$auto\$verilog_backend\S* "
_DECLARED = re.compile(rf"^(\s*)reg ({_NAME}) *= 0;$", re.MULTILINE)
_SINGLE = re.compile(r"always @\*(?=\n\s*\S+(?: \[[\d:]+\])? = )")
_USED = re.compile(rf"if \(({_NAME})\) begin end")


def for_icarus(text):
    """The same Verilog with its triggers set by ``initial``.

    Yosys starts every ``always @*`` by reading a trigger declared ``reg t = 0``. As SystemVerilog,
    which cocotb compiles it as, that is no event: Icarus leaves what never changes X. An ``always
    @*`` of one assignment has no trigger at all; ``always_comb`` needs none.

    Raises
    ------
    ValueError
        If a trigger is declared in another way than expected.
    """
    changed = _DECLARED.sub(r"\1reg \2;\n\1initial \2= 0;", text)
    missed = {match[1] for match in _USED.finditer(text)} - {
        match[2] for match in _DECLARED.finditer(text)}
    if missed:
        raise ValueError(f"triggers without the known declaration: {', '.join(sorted(missed))}")
    return _SINGLE.sub("always_comb", changed)


def ports(text, top):
    """Names of a module's ports."""
    header = re.search(rf"^module {top}\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    return [name.strip() for name in header[1].split(",")]
