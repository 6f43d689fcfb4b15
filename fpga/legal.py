"""Whether a placement is one that the device can hold, and that nextpnr routes and writes."""

from collections import defaultdict

from fpga.cells import (
    FIXED,
    FLIPFLOP,
    LUT,
    MEMORY,
    MULTIPLIER,
    PORT_SLOTS,
    WRITE_PORT,
    Controls,
    compatible,
)
from fpga.placement import Placed, Placement

__all__ = ["check", "check_moved"]

_WIDTHS = (1, 2, 4, 8)  # by level: slots that move together


def check(placement: Placement) -> None:
    """Refuse what breaks a rule of the device.

    Raises
    ------
    ToolError
        Naming the first cell that does.
    """
    _check_places(placement)
    tiles: dict[tuple[int, int], list[Placed]] = defaultdict(list)
    for item in placement.cells:
        if item.kind in (LUT, FLIPFLOP, WRITE_PORT):
            tiles[item.x, item.y].append(item)
    controls = placement.controls()
    for (x, y), items in tiles.items():
        reason = _tile(items, controls)
        if reason:
            raise placement.error(f"tile at column {x}, row {y}: {reason}")


def check_moved(before: Placement, after: Placement) -> None:
    """Refuse a placement that has torn apart what was together.

    Raises
    ------
    ToolError
        Naming the first cell that is elsewhere than it must be.
    """
    now = {item.name: item for item in after.cells}
    for item in before.cells:
        new = now.get(item.name)
        if new is None:
            raise after.error(f"{item.name} has no place any more")
        level = before.levels.get(item.name, 0)
        if item.kind == FIXED and (item.x, item.y) != (new.x, new.y):
            raise after.error(f"{item.name} can't move")
        if (item.z - new.z) % _WIDTHS[level]:
            raise after.error(f"{item.name} can't be in slot {new.z} of a tile")
    for users in before.direct():
        driver = users[0][0]
        start = now[driver.name]
        for user, pin in users[1:]:
            end = now[user.name]
            if (user.x - driver.x, user.y - driver.y, user.z - driver.z) != (
                    end.x - start.x, end.y - start.y, end.z - start.z):
                raise after.error(f"pin {pin} of {user.name} has lost {driver.name}")


def _check_places(placement: Placement) -> None:
    geometry = placement.geometry
    memories = set(geometry.memories)
    multipliers = {site for group in geometry.multipliers for site in group}
    rows = set(geometry.logic_rows)
    taken: dict[str, str] = {}
    for item in placement.cells:
        place = item.x, item.y, item.z
        there = {MEMORY: place in memories, MULTIPLIER: place in multipliers, FIXED: True}.get(
            item.kind, item.x in geometry.columns and item.y in rows)
        bel = item.bel
        if not there:
            raise placement.error(f"{item.name} lies at {bel}, which the device has not")
        if taken.setdefault(bel, item.name) != item.name:
            raise placement.error(f"{item.name} and {taken[bel]} both lie at {bel}")


def _tile(items: list[Placed],
          controls: dict[str, Controls]) -> str | None:
    """What is wrong with a tile, if something is."""
    luts = {item.z: item for item in items if item.kind == LUT}
    flipflops = {item.z: item for item in items if item.kind == FLIPFLOP}
    ports = [item for item in items if item.kind == WRITE_PORT]
    for z, item in flipflops.items():
        if z % 2 and z - 1 in flipflops and controls[item.name] != controls[flipflops[z - 1].name]:
            return f"flip-flops of a slice with different controls, one is {item.name}"
        if z in luts and item.net("M") is not None and luts[z].net("M") is not None:
            return f"{item.name} and {luts[z].name} both need M"
        if item.net("DI") is not None and (
                z not in luts or item.net("DI") not in (luts[z].net("F"), luts[z].net("OFX"))):
            return f"{item.name} is not beside the LUT that feeds it"
    if not compatible((controls[item.name] for item in flipflops.values()),
                      (controls[item.name] for item in ports)):
        return "flip-flops with different clocks or resets, or one of these in two modes"
    if ports and any(z in luts and luts[z].parameter("MODE", "LOGIC") != "RAMW_BLOCK"
                     for z in PORT_SLOTS):
        return f"a LUT where {ports[0].name} is"
    return None
