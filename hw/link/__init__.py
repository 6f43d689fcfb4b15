"""The host link: a serial line that masters the chip's registers and its memory."""
