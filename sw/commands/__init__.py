"""The subcommands of ``sentei``, a module each: ``add`` its arguments, ``execute`` it."""
