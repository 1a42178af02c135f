"""The same answers by HTTP, for programs: `customer-health api`."""
