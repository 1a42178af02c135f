"""How long a refresh takes, beside other ways to the same result."""
