"""Verilog that is the same every time, and a sidecar that tells the truth about it."""

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from golden.spec.config import preset
from hw.export import TOP, write

ROOT = Path(__file__).parents[2]
TINY = preset("tiny_drp")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(Verilog text, sidecar) of the smallest preset with all units."""
    verilog, notes = write(TINY, tmp_path_factory.mktemp("export") / "new" / "directory")
    return verilog.read_text(), json.loads(notes.read_text())


def test_same_text_in_every_process(exported):
    """Nothing of it hangs on the order in which a set is walked."""
    text, _ = exported
    program = ("import sys; from golden.spec.config import preset; from hw.export import generate;"
               " sys.stdout.write(generate(preset('tiny_drp')))")
    seed = "1"  # this process has another, drawn one
    again = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True,
                           capture_output=True, text=True, timeout=300,
                           env=os.environ | {"PYTHONHASHSEED": seed})
    assert again.stdout == text, f"PYTHONHASHSEED {seed}"


def test_constants_reach_simulators(exported):
    """No ``always @*`` reads nothing: it would wait for ever. One comes of a constant for some bits
    of a signal whose others are assigned apart from these."""
    never = re.findall(r"always @\*\s+(\S+(?: \[[\d:]+\])? = \d+'h[0-9a-f]+;)", exported[0])
    assert never == []


def test_ports(exported):
    """The sidecar's ports are those of the Verilog's top module."""
    text, notes = exported
    body = re.search(rf"^module {TOP}\((.*?)\);(.*?)^endmodule", text, re.DOTALL | re.MULTILINE)
    names = [name.strip() for name in body[1].split(",")]
    found = {}
    for direction, high, low, name in re.findall(
            r"^\s*(input|output)\s+(?:wire\s+|reg\s+)?(?:\[(\d+):(\d+)\]\s+)?(\w+)\s*;",
            body[2], re.MULTILINE):
        found[name] = (direction, int(high) - int(low) + 1 if high else 1)
    assert set(found) == set(names)
    listed = {port["name"]: (port["direction"], port["bits"]) for port in notes["ports"]}
    assert len(listed) == len(notes["ports"]), "a port is listed twice"
    assert listed == found


def test_sidecar(exported):
    """Digest and configuration are the chip's, the hash is the text's."""
    text, notes = exported
    assert notes["top"] == TOP
    assert notes["preset"] == TINY.name
    assert int(notes["digest"], 16) == TINY.digest()
    assert notes["configuration"] == dataclasses.asdict(TINY)
    assert notes["verilog_sha256"] == hashlib.sha256(text.encode()).hexdigest()
