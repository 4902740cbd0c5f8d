"""How good is it? One algorithm, one file."""
