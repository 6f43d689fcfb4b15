"""The DRP in numpy: arithmetic, streams, and a tile executing contexts step by step."""
