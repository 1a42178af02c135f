"""Tenants and accounts: to come."""
