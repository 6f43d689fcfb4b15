"""`make test-tensorflow` runs these; without TensorFlow there is nothing here to collect."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("tensorflow") else ["test_*.py"]
