"""Columns to pandas, Arrow, NumPy and xarray, and back."""
