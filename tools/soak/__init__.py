"""`make soak`: faults on real engines while notes stream in, and a table of what became of them."""
