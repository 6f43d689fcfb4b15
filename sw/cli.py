"""The ``sentei`` command: arguments to subcommands, refusals to exit codes."""

import argparse
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import NoReturn

from golden.spec.config import ConfigError
from golden.spec.program import ProgramError
from sw.errors import BadConfigError, ModelError, SenteiError, UsageError

__all__ = ["main"]

_COMMANDS = ("run", "compile", "estimate", "prune", "evaluate", "inspect", "report", "zoo",
             "verilog", "fpga", "board", "quantize", "debug", "drp")
_INTERRUPTED, _PIPE_CLOSED, _TERMINATED = 130, 141, 143
_DESCRIPTION = "Sentei: an open AI accelerator that skips pruned weights."
_EPILOG = """\
examples:
  sentei zoo                                  the bundled networks
  sentei run vww --samples 4                  four bundled pictures on the simulated chip
  sentei run vww --input photo.jpg --check    your picture, every byte held against LiteRT
  sentei run my.tflite --input x.npy          your network
  sentei estimate my.tflite                   what pruning would gain
  sentei report resnet8 -o resnet8.html       where the time goes, on one page
  sentei verilog --preset base -o build       the chip itself
  sentei fpga build --board ulx3s-85f -o DIR  its bitstream
  sentei drp list                             kernels of the tile fabric

exit codes:
  0 done                     5 configuration not legal
  1 internal error           6 simulator or compiler missing
  2 wrong command line       7 the chip did not finish
  3 model or program refused 8 --check found different bytes
  4 input data refused       9 LiteRT or ONNX Runtime missing, or it refuses the model
                            10 no line to the board
                            11 not the board or bitstream that is needed
"""


class _Parser(argparse.ArgumentParser):
    """Mistakes are refusals like any other: one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


class _Version(argparse.Action):
    """``--version``."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib import metadata  # brings half of the library for e-mail

        print(f"sentei {metadata.version('sentei')}")
        parser.exit()


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of a command line; what no other command needs is not imported."""
    asked = next((text for text in given if not text.startswith("-")), None)
    shared = _Parser(add_help=False)
    shared.add_argument("--debug", action="store_true", default=argparse.SUPPRESS,
                        help="show the trace of an error")
    parser = _Parser(prog="sentei", description=_DESCRIPTION, epilog=_EPILOG, parents=[shared],
                     formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--version", action=_Version, nargs=0,
                        help="show program's version number and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in (asked,) if asked in _COMMANDS else _COMMANDS:
        module = importlib.import_module(f"sw.commands.{name}")
        summary, _, text = (module.__doc__ or "").partition("\n")
        command = commands.add_parser(
            name, help=summary, description=summary, epilog=text.strip("\n"), parents=[shared],
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
        module.add(command)
        command.set_defaults(execute=module.execute)
    return parser


def _refusal(error: Exception) -> tuple[str, int]:
    """(message, exit code) of what stopped a command."""
    if isinstance(error, ConfigError):
        return f"error: {error}", BadConfigError.exit_code
    if isinstance(error, ProgramError):
        return f"error: {error}", ModelError.exit_code
    if isinstance(error, SenteiError):
        return f"error: {error}", error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        return f"error: {error.filename}: {error.strerror}", UsageError.exit_code
    return (f"internal error, please report it: {type(error).__name__}: {error} "
            "(--debug shows the trace)"), SenteiError.exit_code


def _terminate(*_: object) -> NoReturn:
    raise SystemExit(_TERMINATED)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; by default those of the process.

    Returns
    -------
    int
        Exit code.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in given
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)  # programs that were started are ended, too
    try:
        arguments = _parser(given).parse_args(given)
        code = arguments.execute(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as request:  # --help and --version; rich, when nobody reads on
        if isinstance(request.__context__, BrokenPipeError):
            return _PIPE_CLOSED
        return int(request.code or 0)
    except KeyboardInterrupt:
        print("sentei: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, code = _refusal(error)
        print(f"sentei: {message}", file=sys.stderr)
        return code


if __name__ == "__main__":
    sys.exit(main())
