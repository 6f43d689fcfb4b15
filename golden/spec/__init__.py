"""The contracts: configuration, instructions, registers, layouts, numerics, program file.

Standard library only. Everyone imports this package; it imports nobody.
"""
