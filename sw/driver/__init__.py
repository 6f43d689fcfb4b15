"""The driver: one `Device` on any `Transport`."""
