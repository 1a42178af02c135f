"""List the queries that each page runs when it opens. Imports only Python's own modules."""

from pathlib import Path
from typing import LiteralString

FOLDER = Path(__file__).parent / "sql"

# for the chosen tenant, organization and customer, or for all of them
PAGES: dict[str, tuple[str, ...]] = {
    "overview": (
        "tenants",
        "overview_days",
        "overview_value_at_risk",
        "overview_transitions",
    ),
    "due_to_order": (
        "tenants",
        "sales_reps",
        "due_totals",
        "due_customers",
        "forecast_disagreement_kinds",
    ),
    "customer": (
        "tenants",
        "organizations",
        "customers",
        "customer",
        "customer_outlook",
        "customer_rules",
        "customer_steps",
        "customer_orders",
        "customer_figures",
        "customer_rows",
        "customer_two_days",
        "customer_changes",
        "customer_judgement",
        "customer_contacts",
        "forecast_disagreement_kinds",
    ),
    "customer, who books": (
        "tenants",
        "organizations",
        "visitors",
        "visitor",
        "visitor_segments",
        "visitor_bookings",
        "visitor_notes",
        "visitor_figures",
        "visitor_rows",
    ),
    # for one tenant at a time
    "how_good_is_it": (
        "tenants",
        "forecast_statuses",
        "forecast_gone",
        "forecast_today",
        "forecast_period",
        "forecast_model",
        "forecast_calibration",
        "forecast_dates",
        "forecast_revenue",
        "forecast_limits",
        "forecast_suggestions",
        "forecast_disagreement_kinds",
        "forecast_disagreements",
        "contact_effect",
    ),
    "how_good_is_it, of visits": (
        "organizations",
        "visits_statuses",
        "visits_gone",
        "visits_today",
        "visits_period",
        "visits_model",
        "visits_calibration",
        "visits_dates",
    ),
    # for one tenant at a time
    "retention": (
        "tenants",
        "organizations",
        "retention_orders_cohorts",
        "retention_orders_weeks",
    ),
    "retention, of visits": (
        "organizations",
        "retention_bookings_cohorts",
        "retention_bookings_weeks",
        "retention_bookings_dimensions",
        "retention_bookings_services",
    ),
    "bookings": (
        "organizations",
        "locations",
        "bookings_totals",
        "bookings_days",
        "bookings_locations",
        "bookings_segments",
        "visitors",
        "visitor_notes",
    ),
    "usage": (
        "platform_organizations",
        "success_organizations",
        "tenant_risks",
        "tenant_scores",
        "tenant_days",
        "tenant_factors",
    ),
    "accounts": (
        "platform_organizations",
        "success_organizations",
        "account_statuses",
        "account_risks",
        "account",
        "account_days",
        "account_factors",
        "account_churn",
        "account_goals",
    ),
    "rows, of orders": (
        "tenants",
        "rows_customers",
        "rows_value_at_risk",
        "rows_moves",
        "rows_disagreements",
        "rows_order_weeks",
    ),
    "rows, of bookings": (
        "organizations",
        "rows_visitors",
        "rows_new_visitors",
        "rows_appointment_days",
        "rows_visit_weeks",
    ),
    "rows, of others": (
        "platform_organizations",
        "success_organizations",
        "rows_organizations",
        "rows_accounts",
    ),
    "operations": (
        "operations_jobs",
        "operations_checks",
        "operations_held",
        "operations_messages",
        "operations_unreached",
        "rows_runs",
        "rows_alerts",
    ),
    "rows, of operations": (
        "operations_jobs",
        "rows_runs",
        "rows_alerts",
        "rows_messages",
        "rows_unreached",
    ),
}


def text_of(query: str) -> LiteralString:
    """Return the text of a query."""
    # literal: these are our own files, and no input is ever put into them
    text: LiteralString = (FOLDER / f"{query}.sql").read_text()
    return text
