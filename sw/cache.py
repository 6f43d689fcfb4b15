"""Files that are built once and kept.

The cache lies in $SENTEI_CACHE, else $XDG_CACHE_HOME/sentei, else ~/.cache/sentei, and can be
removed at any time.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sw.errors import ToolError

__all__ = ["cache_folder", "keep", "making"]


def cache_folder() -> Path:
    """Where built files are kept."""
    own = os.environ.get("SENTEI_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sentei"


@contextmanager
def making(kept: Path) -> Iterator[bool]:
    """Make a file of the cache alone: who wants the same meanwhile waits for it.

    Parameters
    ----------
    kept : Path
        The file, which is there to stay once it is there.

    Yields
    ------
    bool
        Whether it is to be made.

    Raises
    ------
    ToolError
        If the cache can't be written.
    """
    if kept.exists():
        yield False
        return
    lock = kept.with_suffix(".lock")
    with _writing(lock):
        kept.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield not kept.exists()
        finally:
            lock.unlink(missing_ok=True)


def keep(content: bytes, path: Path, *, executable: bool = False) -> None:
    """Write a file of the cache at once, whoever else does the same.

    Raises
    ------
    ToolError
        If the cache can't be written.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        if executable:
            os.chmod(file.name, 0o755)
        os.replace(file.name, path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ToolError(f"can't write the cache {path.parent}: {error.strerror}; set SENTEI_CACHE "
                        "to another folder") from None
