"""Kernels by name, or from a user's file."""

import difflib
import importlib.util
import sys
from pathlib import Path

from sw.drp.kernel import Kernel
from sw.drp.library import LIBRARY
from sw.drp.library.pipelines import PIPELINES
from sw.errors import SenteiError, UsageError

__all__ = ["open_kernel"]


def open_kernel(name: str) -> Kernel:
    """A kernel of the library, or ``FILE.py`` or ``FILE.py:KERNEL``.

    Raises
    ------
    UsageError
    """
    if name in LIBRARY:
        return LIBRARY[name]
    path, _, wanted = name.partition(":")
    if not path.endswith(".py"):
        close = difflib.get_close_matches(name, [*LIBRARY, *PIPELINES])
        raise UsageError(f"{name}: no kernel of the library; accepted is FILE.py, FILE.py:KERNEL "
                         "or one that sentei drp list shows"
                         + (f"; did you mean {' or '.join(close)}?" if close else ""))
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such file")
    found = {item.name: item for item in _execute(Path(path)).values()
             if isinstance(item, Kernel)}
    if not found:
        raise UsageError(f"{path}: it has no kernels; accepted are functions with @kernel, of "
                         "sw.drp.kernel")
    if wanted and wanted not in found:
        raise UsageError(f"{path}: no kernel {wanted}; it has {', '.join(found)}")
    if not wanted and len(found) != 1:
        raise UsageError(f"{path}: it has {len(found)} kernels ({', '.join(found)}); accepted is "
                         "FILE.py:KERNEL")
    return found[wanted] if wanted else next(iter(found.values()))


def _execute(path: Path) -> dict[str, object]:
    """Names of a Python file, executed as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"sentei_kernels_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SenteiError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{path}: {type(error).__name__}: {error}") from error
    return vars(module)
