"""Runs and programs for people and programs: figures, tables, plots, pages, disassembly."""
