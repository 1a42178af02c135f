"""Measure how long a refresh takes, compared with other ways to the same result."""
