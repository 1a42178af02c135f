"""Fit the order model: `customer-health fit-orders`. The search is analyses/fit_orders.sql."""

from datetime import datetime
from typing import Any

from flows import dbt
from flows.arguments import check_tenant, is_built
from flows.database import connect, environment, install, refresh_lock, rows
from flows.errors import WrongArgument
from flows.progress import Progress
from flows.run_log import check_maker, logged
from flows.schemas import ANALYTICS

ANALYSIS = "analysis.customer_health.fit_orders"


def fit_orders(
    tenant: str | None, as_of: datetime | None, progress: Progress
) -> dict[str, Any]:
    """Find the parameters of the tenants' order models and store them; return the run's log.

    What the data do not carry is refused, tenant by tenant, with a reason that is stored in
    their place. Raises WrongArgument where no refresh has made the marts, or no tenant has
    this slug.
    """
    with refresh_lock(), connect() as connection:
        [there] = rows(
            connection,
            f"select to_regclass('{ANALYTICS}.order_model_parameters') as parameters",
        )
        if not is_built(connection) or there["parameters"] is None:
            raise WrongArgument(
                "fit-orders: there are no order days yet;"
                " `customer-health refresh --mode nightly` makes them"
            )
        install(connection, "operations.sql")
        check_maker(connection)
        check_tenant(connection, tenant)
        with logged(connection, "fit_orders", "fit") as log:
            manifest = dbt.compiled(
                {"fit_tenant": tenant, "as_of": as_of.isoformat() if as_of else None},
                environment(connection),
                ["fit_orders"],
            )
            search = manifest["nodes"][ANALYSIS]["compiled_code"]
            progress.run(
                "order model: search for the parameters",
                lambda: connection.execute(search.encode()),
            )
            log.payload["order_models"] = rows(
                connection,
                f"""
                select
                    tenants.tenant_slug,
                    parameters.valid_from,
                    parameters.customers,
                    parameters.r,
                    parameters.alpha_days,
                    parameters.a,
                    parameters.b,
                    parameters.log_likelihood,
                    parameters.state,
                    parameters.reason
                from {ANALYTICS}.order_model_parameters as parameters
                inner join {ANALYTICS}.tenants as tenants
                    on parameters.tenant_id = tenants.tenant_id
                where %(tenant)s::text is null or tenants.tenant_slug = %(tenant)s
                order by tenants.tenant_slug, parameters.valid_from
                """,
                {"tenant": tenant},
            )
        return log.payload
