"""A demo application: operational tables with made-up data."""
