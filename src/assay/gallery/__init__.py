"""The bank of damage beside what every metric says of it, as one page."""
