"""Fit the models of returning customers: `customer-health fit-orders` and `fit-visits`.

macros/forecasts/fit_model.sql searches for the parameters.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows import dbt
from flows.arguments import check_slug
from flows.database import connect, environment, install, refresh_lock, rows
from flows.errors import WrongArgument
from flows.progress import Progress
from flows.run_log import check_maker, logged
from flows.schemas import ANALYTICS
from flows.systems import known, registry


@dataclass(frozen=True)
class Fit:
    """What a command fits."""

    command: str
    system: str
    # the name of its option, and the prefix of its tenants' keys
    tenant: str
    model: str
    # the data that it uses
    days: str

    @property
    def job(self) -> str:
        """The name of its analysis, and of its runs in the run log."""
        return self.command.replace("-", "_")

    @property
    def models(self) -> str:
        """The key of the models in the run log."""
        return f"{self.model.replace(' ', '_')}s"

    @property
    def parameters(self) -> str:
        """The mart that it writes."""
        return f"{self.model.replace(' ', '_')}_parameters"


FITS = {
    fit.command: fit
    for fit in (
        Fit("fit-orders", "orders", "tenant", "order model", "order days"),
        Fit("fit-visits", "bookings", "organization", "visit model", "visit days"),
    )
}


def fit_models(
    fit: Fit, slug: str | None, as_of: datetime | None, progress: Progress
) -> dict[str, Any]:
    """Fit the tenants' models and store their parameters; return the run's log entry.

    If a tenant's data are not enough for a model, a reason is stored instead of parameters.
    Raises WrongArgument if no refresh has made the marts, or no tenant has this slug.
    """
    system = registry()[known(fit.system, f"the command {fit.command}")]
    with refresh_lock(), connect() as connection:
        [there] = rows(
            connection, f"select to_regclass('{ANALYTICS}.{fit.parameters}') as parameters"
        )
        if there["parameters"] is None:
            raise WrongArgument(
                f"{fit.command}: there are no {fit.days} yet; run"
                " `customer-health refresh --mode nightly` first"
            )
        install(connection, "operations.sql")
        check_maker(connection)
        check_slug(connection, system, slug)
        with logged(connection, fit.job, "fit") as log:
            manifest = dbt.compiled(
                {"fit_tenant": slug, "as_of": as_of.isoformat() if as_of else None},
                environment(connection),
                [fit.job],
            )
            search = manifest["nodes"][f"analysis.customer_health.{fit.job}"]["compiled_code"]
            progress.run(
                f"{fit.model}: searching for parameters",
                lambda: connection.execute(search.encode()),
            )
            log.payload[fit.models] = rows(
                connection,
                f"""
                select
                    tenants.{system.tenant}_slug,
                    parameters.valid_from,
                    parameters.customers,
                    parameters.r,
                    parameters.alpha_days,
                    parameters.a,
                    parameters.b,
                    parameters.log_likelihood,
                    parameters.state,
                    parameters.reason
                from {ANALYTICS}.{fit.parameters} as parameters
                inner join {ANALYTICS}.{system.tenants} as tenants
                    on parameters.{system.tenant}_id = tenants.{system.tenant}_id
                where %(slug)s::text is null or tenants.{system.tenant}_slug = %(slug)s
                order by tenants.{system.tenant}_slug, parameters.valid_from
                """,
                {"slug": slug},
            )
        return log.payload
