"""`hw.wide_mux.WideMux` from ECP5's own wide multiplexers.

A slice's PFUMX joins its two LUT4, an L6MUX21 two slices, another one two pairs of slices. Yosys
only sees functions of up to seven inputs in them, never a multiplexer with its selects.
"""

import re

__all__ = ["wide_muxes"]

_NAME = re.compile(r"^module \\\S+\.wide(\d+)x(\d+)_\w+ ", re.MULTILINE)
# By step: what joins two of the step before, and its ports (o, if 0, if 1, select).
_STEPS = (
    ("LUT4 #(.INIT(16'hCACA))", "Z", "A", "B", "C"),
    ("PFUMX", "Z", "BLUT", "ALUT", "C0"),
    ("L6MUX21", "Z", "D0", "D1", "SD"),
    ("L6MUX21", "Z", "D0", "D1", "SD"),
)


def wide_muxes(verilog: str) -> tuple[str, str]:
    """How Yosys makes those of a design.

    Parameters
    ----------
    verilog : str
        The design, as Amaranth writes it.

    Returns
    -------
    commands : str
        Run before synthesis; they read ``wide_muxes.v``.
    modules : str
        Verilog text of that file.
    """
    sizes = sorted({(int(count), int(width)) for count, width in _NAME.findall(verilog)
                    if 2 < int(count) <= 1 << len(_STEPS)})
    if not sizes:
        return "", ""
    commands = [f"chtype -set {_type(count, width)} *.wide{count}x{width}_*/t:$shr"
                for count, width in sizes]
    return ("\n".join(["proc", *commands, "techmap -map wide_muxes.v"]),
            "\n".join(_module(*size) for size in sizes))


def _type(count: int, width: int) -> str:
    return f"sentei_wide{count}x{width}"


def _module(count: int, width: int) -> str:
    """In place of the shift by a number of items; items up to the next power of two are 0."""
    bits, low = (count - 1).bit_length(), width.bit_length() - 1
    lines = [f"module {_type(count, width)}(A, B, Y);", "parameter A_WIDTH = 1;",
             "parameter B_WIDTH = 1;", "parameter Y_WIDTH = 1;", "parameter A_SIGNED = 0;",
             "parameter B_SIGNED = 0;", "input [A_WIDTH - 1:0] A;", "input [B_WIDTH - 1:0] B;",
             "output [Y_WIDTH - 1:0] Y;"]
    for bit in range(width):
        values = [f"A[{place * width + bit}]" for place in range(count)]
        values += ["1'b0"] * ((1 << bits) - count)
        for step in range(bits):
            cell, out, first, second, select = _STEPS[step]
            nets = [f"n{bit}_{step}_{pair}" for pair in range(len(values) // 2)]
            rest = ", .D(1'b0)" if step == 0 else ""
            lines.append(f"wire {', '.join(nets)};")
            lines += [
                f"{cell} c{net[1:]} (.{out}({net}), .{first}({values[2 * pair]}), "
                f".{second}({values[2 * pair + 1]}), .{select}(B[{low + step}]){rest});"
                for pair, net in enumerate(nets)]
            values = nets
        lines.append(f"assign Y[{bit}] = {values[0]};")
    return "\n".join([*lines, "endmodule", ""])
