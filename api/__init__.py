"""The HTTP API for programs: `customer-health api`."""
