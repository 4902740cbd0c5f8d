"""Whose face is it, how good a picture of it, and where? One algorithm, one file."""
