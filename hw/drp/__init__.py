"""The DRP: a fabric of tile elements that change their whole configuration every step."""
