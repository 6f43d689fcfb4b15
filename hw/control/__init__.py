"""Registers, sequencer, semaphores, counters."""
