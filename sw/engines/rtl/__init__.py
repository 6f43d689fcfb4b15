"""The generated Verilog in Verilator, behind an AXI memory model in C++."""
