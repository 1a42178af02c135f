"""An application to look at: operational tables and made-up data."""
