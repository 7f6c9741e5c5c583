"""Shim's HTTP protocol: one method an endpoint, no policy."""
