"""`make test-torch` runs these; without PyTorch there is nothing here to collect."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
