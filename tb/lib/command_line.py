"""The command line in process."""

from sw.cli import main

__all__ = ["run"]


def run(capsys, *arguments):
    """(exit code, stdout, stderr)."""
    code = main([str(argument) for argument in arguments])
    text = capsys.readouterr()
    return code, text.out, text.err
