"""What a person meets: magics, tables, the widget."""
