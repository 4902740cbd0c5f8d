"""One item's or one run's story: JSON lines, tables, the terminal, a web page. Importing this loads nothing."""
