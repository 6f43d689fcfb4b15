"""Everything Sentei refuses, as exceptions that know the exit code of the command line.

0 is success and 1 an internal error (a traceback is a bug). Messages name the thing, its value
and what is accepted, in one line where possible.
"""

__all__ = [
    "BadConfigError", "BoardError", "DeviceError", "InputError", "LinkError", "MismatchError",
    "ModelError", "ReferenceError_", "SenteiError", "ToolError", "UsageError",
]


class SenteiError(Exception):
    """Base of all refusals.

    Members
    -------
    exit_code : int
        Exit status of the command that meets it.
    """

    exit_code = 1


class UsageError(SenteiError):
    """The command line asks for something that doesn't exist or contradicts itself."""

    exit_code = 2


class ModelError(SenteiError):
    """The network can't be read or holds something that isn't supported."""

    exit_code = 3


class InputError(SenteiError):
    """The data to run on has the wrong shape, type or format."""

    exit_code = 4


class BadConfigError(SenteiError):
    """The chip's configuration is not legal (wraps ``golden.spec.config.ConfigError``)."""

    exit_code = 5


class ToolError(SenteiError):
    """A simulator or compiler that the command needs is missing or fails."""

    exit_code = 6


class DeviceError(SenteiError):
    """The chip, real or simulated, did not finish its run."""

    exit_code = 7


class MismatchError(SenteiError):
    """``--check`` found different bytes."""

    exit_code = 8


class ReferenceError_(SenteiError):
    """LiteRT or ONNX Runtime, reference of ``--check``, is not installed or refuses the file."""

    exit_code = 9


class LinkError(SenteiError):
    """The line to the board can't be opened, is in use, or has been lost."""

    exit_code = 10


class BoardError(SenteiError):
    """What answers on the line is not the board or the bitstream that is needed."""

    exit_code = 11
