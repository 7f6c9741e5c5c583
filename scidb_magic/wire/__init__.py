"""Bytes on the wire to columns and back; pure, no I/O."""
