"""From measurements to sentences. Pure functions of results; nothing here looks at a picture."""
