"""The Verilated host link on a line whose waveform is simulated."""
