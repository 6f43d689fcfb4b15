"""What descriptions of hardware are refused with."""

__all__ = ["ConfigError"]


class ConfigError(ValueError):
    """A configuration that can't be built; the text names field, value and what is accepted."""
