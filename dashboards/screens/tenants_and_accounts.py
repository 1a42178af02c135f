"""Tenants and accounts: their health, what it is made of, and who may leave."""

from dashboards import data, look

with look.page("Tenants and accounts", "Whose health falls, and what it is made of."):
    data.read("tenants")
    raise data.NothingToShow(data.FIRST_REFRESH)
