"""Designs with a serial line, as shared libraries that Verilator made, built once and cached."""

import ctypes
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from amaranth.back import verilog

from sw.cache import cache_folder, making
from sw.engines.rtl.builder import FLAGS, compile_verilog
from sw.engines.rtl.toolchain import Toolchain

__all__ = ["generate", "library"]

_HEADER = Path(__file__).with_name("uart_line.h")
_HANDLE, _U32, _U64, _F64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_double
_LINE = {
    "destroy": (None, [_HANDLE]),
    "send": (None, [_HANDLE, _F64, ctypes.c_char_p, _U32]),
    "run": (None, [_HANDLE, _U64]),
    "now": (_U64, [_HANDLE]),
    "idle": (_U64, [_HANDLE]),
    "take": (_U32, [_HANDLE, _U64, ctypes.c_char_p, _U32]),
    "bad_stops": (_U32, [_HANDLE]),
    "noise": (None, [_HANDLE, _U32]),
}


def generate(dut, name):
    """Verilog of an Amaranth component as a module of this name."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    return verilog.convert(dut, name=name, emit_src=False, strip_internal_attrs=True)


def library(top, text, harness, functions):
    """The simulation of a module as a shared library.

    Parameters
    ----------
    top : str
        Name of the module, and of the library's functions before the underscore.
    text : str
        Verilog.
    harness : Path
        C++ with a `LineSimulation` (uart_line.h) and functions for ctypes.
    functions : dict
        Name to (result, arguments) of those, the line's aside.
    """
    tools = Toolchain()
    flags = [flag.replace("npu", top) for flag in FLAGS]
    sources = {path.name: path.read_text() for path in (harness, _HEADER)}
    key = "\0".join((tools.version, *flags, text, *sources.values()))
    kept = cache_folder() / top / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.so"
    with making(kept) as missing, tempfile.TemporaryDirectory(prefix=f"sentei-{top}-") as name:
        if missing:
            folder = Path(name)
            for source, content in {**sources, f"{top}.v": text}.items():
                (folder / source).write_text(content)
            compile_verilog(tools, [*flags, "-CFLAGS", f"-I{folder}", "-o", f"{top}.so",
                                    f"{top}.v", str(folder / harness.name)], folder)
            fresh = kept.with_suffix(f".{os.getpid()}")
            shutil.copy(folder / "obj_dir" / f"{top}.so", fresh)
            fresh.replace(kept)
    loaded = ctypes.CDLL(str(kept))
    for prefix, table in ((top, functions), ("line", _LINE)):
        for function, (result, arguments) in table.items():
            entry = getattr(loaded, f"{prefix}_{function}")
            entry.restype, entry.argtypes = result, arguments
    return loaded
