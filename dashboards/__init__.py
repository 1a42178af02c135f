"""Pages in a browser that show the marts to people. SQL computes; the pages only show."""
