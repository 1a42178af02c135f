"""The marts for people: pages in a browser that show what SQL gives, and compute nothing."""
