"""Instructions of a program as they are made: what they touch, who waits for whom, constants."""
