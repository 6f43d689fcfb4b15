"""What `fpga.decode` and `fpga.verify` are made of."""
