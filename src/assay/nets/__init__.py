"""Network bodies, one per file: pure functions of a picture and of named parameters."""
