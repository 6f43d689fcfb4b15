"""Operators on int8 arrays, bit for bit as TensorFlow Lite's reference kernels.

Every function takes arrays with any number of samples on the leading axis, then its attributes.
"""
