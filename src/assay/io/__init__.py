"""Files in: which ones (`find`), and what they show (`decode`)."""
