"""Is it real? Evidence about origin: one algorithm, one file."""
