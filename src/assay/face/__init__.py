"""How good is this face, and for what? One algorithm, one file."""
