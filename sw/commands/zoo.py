"""List the bundled networks.

examples:
  sentei zoo
  sentei zoo --json
"""

import argparse
import json

from rich.console import Console
from rich.table import Table

from sw.commands.options import add_json
from sw.zoo import NETWORKS

__all__ = ["add", "execute"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei zoo``."""
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the list."""
    if arguments.json:
        print(json.dumps([
            {"name": network.name, "title": network.title, "model": str(network.model),
             "samples": network.sample_count, "labels": list(network.labels),
             "inputs": network.accepts}
            for network in NETWORKS.values()], indent=1))
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "what it does", "samples", "takes"):
        table.add_column(heading, overflow="fold")
    for network in NETWORKS.values():
        table.add_row(network.name, network.title, str(network.sample_count), network.accepts)
    console = Console()
    console.print(table)
    console.print("\nRun one with: sentei run NAME --samples 4", highlight=False)
    return 0
