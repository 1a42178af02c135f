"""Connection, lock and order of steps. What the numbers mean is in models/."""
