"""Layers by name, and what is said of those that can't be meant."""

from collections.abc import Collection, Mapping

from sw.errors import UsageError

__all__ = ["check_layer"]


def check_layer(name: str, layers: Collection[str],
                unpruned: Mapping[str, str] | None = None) -> None:
    """Refuse a layer that isn't there, or isn't pruned.

    Parameters
    ----------
    name : str
    layers : collection of str
        Those accepted.
    unpruned : mapping of str to str, optional
        Why others aren't.
    """
    if name in layers:
        return
    if unpruned and name in unpruned:
        raise UsageError(f"layer {name!r} isn't pruned: {unpruned[name]}; layers that are: "
                         f"{', '.join(layers)}")
    raise UsageError(f"layer {name!r}: no such layer; layers are {', '.join(layers)}")
