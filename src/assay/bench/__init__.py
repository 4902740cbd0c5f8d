"""How well the answers hold: one evaluation protocol per file, over plain arrays of scores."""
