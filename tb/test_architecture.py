"""The rules that keep the house in order: imports, module size, mirrored benches."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("golden", "hw", "sw", "fpga", "tb")
# What each package may import of the others and of the heavy libraries.
ALLOWED = {
    "golden/spec": {"golden.spec"},
    "golden": {"golden", "numpy"},
    "hw": {"golden.spec", "hw", "amaranth"},
    "fpga": {"golden.spec", "hw", "sw.cache", "sw.driver", "sw.errors", "fpga", "amaranth",
             "numpy"},
}
LATE = {"hw", "amaranth"}  # sw may import these inside functions only
# Who hands on to whom: a package may not import those after it.
ORDER = ("sw/instructions", "sw/drp", "sw/compiler")


def modules():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(tree, top_only=False):
    nodes = ast.iter_child_nodes(tree) if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def is_within(name, prefix):
    return name == prefix or name.startswith(prefix + ".")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports(path):
    relative = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text())
    names = set(imported(tree))
    ours = {name for name in names if name.split(".")[0] in PACKAGES}
    assert not any(is_within(name, "tb") for name in ours) or relative.startswith("tb/")
    assert "__future__" not in names
    for prefix, allowed in ALLOWED.items():
        if relative.startswith(prefix + "/"):
            checked = ours | {n for n in names if n.split(".")[0] in ("numpy", "amaranth")}
            bad = [n for n in checked if not any(is_within(n, a) for a in allowed)]
            assert not bad, f"{relative} imports {bad}, accepted are {sorted(allowed)}"
            break
    for place, prefix in enumerate(ORDER):
        if relative.startswith(prefix + "/"):
            later = [after.replace("/", ".") for after in ORDER[place + 1:]]
            assert not any(is_within(name, after) for name in names for after in later)
    if relative.startswith("sw/"):
        early = {n for n in imported(tree, top_only=True) if n.split(".")[0] in LATE}
        assert not early, f"{relative} imports {early} at its top; accepted is inside a function"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_size(path):
    if not path.is_relative_to(ROOT / "tb"):
        assert len(path.read_text().splitlines()) <= 400, "two things may live in one module"


def blocks():
    """Every hw/<area>/<module>.py that computes something; hw/bus only has signatures."""
    return [path for path in sorted((ROOT / "hw").glob("*/*.py"))
            if path.stem != "__init__" and path.parent.name != "bus"]


@pytest.mark.parametrize("path", blocks(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_hardware_module_has_a_bench(path):
    """A test of tb/unit/<area>/, or a helper there that it imports, imports the module itself."""
    area = path.parent.name
    folder, module = ROOT / "tb" / "unit" / area, f"hw.{area}.{path.stem}"
    found = {name for test in folder.glob("test_*.py")
             for name in imported(ast.parse(test.read_text()))}
    for helper in folder.glob("*.py"):
        if f"tb.unit.{area}.{helper.stem}" in found:
            found |= set(imported(ast.parse(helper.read_text())))
    assert module in found, f"no test in tb/unit/{area}/ imports {module}"


def test_no_empty_switch_case():
    """``m.Case()`` never matches in Amaranth 0.5; ``m.Default()`` is meant."""
    for path in (ROOT / "hw").rglob("*.py"):
        assert "m.Case()" not in path.read_text(), path
