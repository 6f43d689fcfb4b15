"""The AI-MAC: window walk, word fetch, array."""
