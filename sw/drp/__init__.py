"""The DRP's compiler: kernels in Python to contexts, states and streams of the tile fabric."""
