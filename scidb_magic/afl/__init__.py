"""AFL as text: pure functions, no I/O."""
