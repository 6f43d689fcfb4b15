"""What importance is taken from, in every framework."""

from sw.errors import UsageError

__all__ = ["CRITERIA", "DECAY", "check_criterion"]

CRITERIA = {
    "magnitude": "its square, batch normalization folded in, as a share of its layer's",
    "gradient": "(gradient x weight)^2: what the loss changes without it, to first order",
    "fisher": "weight^2 x mean gradient^2 / 2: the same to second order, with Fisher's information "
              "for the curvature",
}
DECAY = 0.98  # of the mean over steps


def check_criterion(criterion: str) -> None:
    """Refuse an unknown one."""
    if criterion not in CRITERIA:
        raise UsageError(f"criterion {criterion!r}; accepted are {', '.join(CRITERIA)}")
