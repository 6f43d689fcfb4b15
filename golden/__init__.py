"""Golden model: what a network and a program mean, in numpy, bit for bit."""
