"""The heart: one slot a process; statements in, bytes and schema out."""
