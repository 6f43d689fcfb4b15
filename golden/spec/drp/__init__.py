"""Contracts of the DRP, the tile fabric: its shape, operations, contexts, controller and streams.

``fabric`` says how large a tile is and what its elements can do, ``operations`` what each
operation computes, ``contexts`` the words that configure elements and streams every step,
``controller`` how the next context is found, ``streams`` how data comes from and goes to memory,
``image`` how a kernel lies in memory. Standard library only.
"""
