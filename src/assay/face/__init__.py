"""Where faces are, how good each is, to people and to a matcher, and why. One algorithm, one file."""
