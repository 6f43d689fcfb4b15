"""Post-processing: bias, requantization, residual add, clamp, table."""
