"""DRAM to chip and back."""
