"""The chip, in Amaranth. Imports golden.spec, never golden's arithmetic."""
