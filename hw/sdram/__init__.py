"""Controller for 16-bit SDR SDRAM behind an AXI4 port."""
