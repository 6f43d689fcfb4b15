"""A chip's digest in words."""

from golden.spec.config import PRESETS, Config

__all__ = ["known", "settings"]


def settings(config: Config) -> str:
    """Every field that shapes the hardware."""
    return ", ".join(f"{name}={value}" for name, value in config.hardware().items())


def known(digest: int) -> str:
    """The presets with this digest and their settings."""
    for config in PRESETS.values():
        if config.digest() == digest:
            names = [name for name, other in PRESETS.items() if other.digest() == digest]
            return f"configuration {' or '.join(names)}: {settings(config)}"
    return "of no preset of this version"
