"""FPGA synthesis."""
