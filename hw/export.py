"""Amaranth to Verilog, with a JSON sidecar that says what the Verilog is."""

import dataclasses
import gc
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from amaranth.back import verilog
from amaranth.hdl import ClockDomain

from golden.spec.config import Config
from hw.merged import merged
from hw.npu import Npu

__all__ = ["TOP", "generate", "sidecar", "write"]

TOP = "npu"


def generate(config: Config, family: str | None = None) -> str:
    """Verilog of the whole chip; the same text every time for the same configuration.

    With a device's ``family`` ("ecp5") some parts are that one's cells.
    """
    platform = SimpleNamespace(family=family) if family else None
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    with _growing():
        return merged(verilog.convert(
            Npu(config), name=TOP, emit_src=False, strip_internal_attrs=True, platform=platform,
            missing_domain=lambda name: ClockDomain(name, reset_less=True)))


@contextmanager
def _growing() -> Iterator[None]:
    """No search for garbage: millions of objects are made, all of which stay in use."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def sidecar(config: Config, text: str) -> dict[str, object]:
    """Ports, configuration and digest of a generated text."""
    ports = [{"name": "clk", "direction": "input", "bits": 1}]
    for path, member, value in Npu(config).signature.flatten(Npu(config)):
        ports.append({"name": "__".join(str(part) for part in path),
                      "direction": "output" if member.flow.name == "Out" else "input",
                      "bits": len(value.as_value() if hasattr(value, "as_value") else value)})
    return {"top": TOP, "preset": config.name, "digest": f"0x{config.digest():08x}",
            "verilog_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "configuration": dataclasses.asdict(config), "ports": ports}


def write(config: Config, directory: Path) -> tuple[Path, Path]:
    """Write npu.v and npu.json into a directory (made if missing)."""
    directory.mkdir(parents=True, exist_ok=True)
    text = generate(config)
    paths = directory / f"{TOP}.v", directory / f"{TOP}.json"
    paths[0].write_text(text)
    paths[1].write_text(json.dumps(sidecar(config, text), indent=2) + "\n")
    return paths
