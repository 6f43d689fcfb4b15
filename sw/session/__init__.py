"""A network, an engine and samples brought together: what `run`, `report` and benches share."""

from sw.session.engines import ENGINES, GoldenEngine, Waves, open_engine
from sw.session.model import Model, at_rate, compiled, open_model
from sw.session.reference import Reference, open_reference
from sw.session.run import run_samples

__all__ = [
    "ENGINES", "GoldenEngine", "Model", "Reference", "Waves", "at_rate", "compiled", "open_engine",
    "open_model", "open_reference", "run_samples",
]
