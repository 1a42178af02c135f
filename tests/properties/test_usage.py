"""Tenant health equals an oracle, day by day, whatever is collected in whatever order."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from conftest import Database, examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from usage_oracle import (
    COMPONENTS,
    Assignment,
    Case,
    Counts,
    Feature,
    Score,
    Usage,
    User,
    Weight,
    collect,
    component_score,
    in_force,
    plausible,
    scores,
)

from bench.compiled import CompiledProject, compile_project

ORGANIZATION, OTHER = UUID(int=1), UUID(int=2)
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ["UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"]


@pytest.fixture(scope="module")
def compiled(full_refresh: CompiledProject) -> CompiledProject:
    return full_refresh.of("usage")


@pytest.fixture(scope="module")
def of_one(built: Database) -> CompiledProject:
    return compile_project(
        built.os_environment(),
        tags={"usage"},
        refresh_scope="changed",
        organization="slug0",
    )


# around the limits of windows that end within the first 60 days
instants = st.builds(
    lambda days, hours, beyond: BEGINNING + timedelta(days=days, hours=hours, seconds=beyond),
    st.integers(-40, 62),
    st.sampled_from([0, 6, 12]),
    st.sampled_from([0, 0, 0, -1, 1]),
)
maybe = st.none() | instants
# a campaign without an end
endless = st.sampled_from([datetime(9999, 12, 31, tzinfo=UTC), "infinity", "-infinity"])

usages = st.builds(
    Usage,
    users=st.lists(st.builds(User, st.booleans(), instants, maybe), max_size=8),
    cases=st.lists(
        st.builds(
            Case,
            maybe,
            st.lists(
                st.tuples(st.booleans(), st.sampled_from(["ON_TRACK", "WARNING", "OVERDUE"])),
                max_size=3,
            ).map(tuple),
        ),
        max_size=6,
    ),
    assignments=st.lists(
        st.builds(
            Assignment,
            st.sampled_from(["COMPLETED", "COMPLETED", "OVERDUE", "PENDING", "IN_PROGRESS"]),
            maybe,
            maybe,
            maybe | maybe | endless,
            st.sampled_from([False, False, True]),
        ),
        max_size=6,
    ),
    features=st.lists(st.builds(Feature, maybe, maybe), max_size=5),
    tickets=st.lists(instants, max_size=14),
)


@st.composite
def seeds(draw: st.DrawFn) -> list[Weight]:
    """Draw one or two versions of the weights."""
    seed = []
    for version in range(1, draw(st.integers(1, 2)) + 1):
        cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=4, max_size=4)))
        shares = [
            after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)
        ]
        valid_from = (
            date(1970, 1, 1) if version == 1 else date(2026, 1, draw(st.integers(2, 31)))
        )
        for component, share in zip(COMPONENTS, shares, strict=True):
            is_tickets = component == "support_tickets"
            seed.append(
                Weight(
                    version=version,
                    component=component,
                    weight=Fraction(share, 100),
                    target=Fraction(1)
                    if is_tickets
                    else Fraction(draw(st.integers(1, 10)), 10),
                    score_without_data=draw(st.sampled_from([100, 100, 50])),
                    points_per_ticket=draw(st.sampled_from([10, 7])) if is_tickets else None,
                    valid_from=valid_from,
                )
            )
    return seed


def load_usage(connection: Connection[Any], organization: UUID, usage: Usage) -> None:
    """Replace the rows of an organization in the source."""
    for table in (
        *("investigations", "cases", "campaign_assignments", "users"),
        *("feature_adoptions", "support_tickets"),
    ):
        connection.execute(
            f"delete from platform.{table} where organization_id = %s".encode(),
            (organization,),
        )
    # campaigns of others stay, for the assignments of others
    connection.execute(
        "delete from platform.campaigns where not exists ("
        "select from platform.campaign_assignments where campaign_id = campaigns.id)"
    )

    def insert(table: str, **values: object) -> None:
        values = {"organization_id": organization, **values}
        connection.execute(
            f"insert into platform.{table} ({', '.join(values)})"
            f" values ({', '.join(['%s'] * len(values))})".encode(),
            list(values.values()),
        )

    def key(number: int) -> UUID:
        return UUID(int=organization.int * 1000 + number)

    for number, user in enumerate(usage.users):
        insert("users", id=key(number), **vars(user))
    for number, case in enumerate(usage.cases):
        insert("cases", id=key(number), status="any", closed_at=case.closed_at)
        for part, (is_primary, sla_status) in enumerate(case.investigations):
            insert(
                "investigations",
                id=key(number * 10 + part),
                case_id=key(number),
                is_primary=is_primary,
                sla_status=sla_status,
            )
    for number, assignment in enumerate(usage.assignments):
        owner, campaign = campaign_of(organization, number, assignment)
        insert(
            "campaigns",
            id=campaign,
            organization_id=owner,
            ends_at=assignment.campaign_ends_at,
        )
        insert(
            "campaign_assignments",
            id=key(number),
            campaign_id=campaign,
            status=assignment.status,
            due_at=assignment.due_at,
            completed_at=assignment.completed_at,
        )
    for number, feature in enumerate(usage.features):
        insert("feature_adoptions", feature_key=str(number), **vars(feature))
    for number, created_at in enumerate(usage.tickets):
        insert("support_tickets", id=key(number), status="any", created_at=created_at)


def load_seed(connection: Connection[Any], seed: list[Weight]) -> None:
    connection.execute("delete from analytics_internal.tenant_health_weights")
    for weight in seed:
        connection.execute(
            "insert into analytics_internal.tenant_health_weights"
            " (weights_version, component, weight, target, score_without_data,"
            " points_per_ticket, valid_from) values (%s, %s, %s, %s, %s, %s, %s)",
            [
                float(value) if isinstance(value, Fraction) else value
                for value in vars(weight).values()
            ],
        )


@settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    zone=st.sampled_from(ZONES),
    seed=seeds(),
    collections=st.lists(st.tuples(st.integers(0, 60 * 4), usages), min_size=1, max_size=5),
    other=usages,
)
def test_scores_equal_the_oracle_on_every_day(
    built: Database,
    compiled: CompiledProject,
    of_one: CompiledProject,
    zone: str,
    seed: list[Weight],
    collections: list[tuple[int, Usage]],
    other: Usage,
) -> None:
    collected: dict[date, tuple[datetime, Counts]] = {}
    with built.connect() as connection:
        connection.execute(
            "truncate platform.organizations cascade;"
            " truncate analytics.tenant_usage_metrics_daily,"
            " analytics.tenant_health_factors, analytics.tenant_health_scores,"
            " operations.usage_quarantined_rows"
        )
        for number, organization in enumerate((ORGANIZATION, OTHER)):
            connection.execute(
                "insert into platform.organizations (id, slug, name, time_zone, created_at)"
                " values (%s, %s, 'name', %s, %s)",
                (organization, f"slug{number}", zone, BEGINNING - timedelta(days=90)),
            )
        load_usage(connection, OTHER, other)
        load_seed(connection, seed)
        for quarters, usage in collections:
            as_of = BEGINNING + timedelta(hours=6 * quarters)
            load_usage(connection, ORGANIZATION, usage)
            # by itself, and then together with the other one
            of_one.refresh(connection, as_of)
            alone = published(built)
            compiled.refresh(connection, as_of)
            assert published(built) == alone
            day = as_of.astimezone(ZoneInfo(zone)).date()
            # a day that has ended is not collected again
            if day not in collected or (collected[day][0] <= as_of and day == max(collected)):
                collected[day] = (as_of, collect(usage, as_of))

    # for the last rows, because they have replaced the earlier ones
    assert noted(built) == noted_by_rules(collections[-1][1], other)
    counts = {day: found for day, (_, found) in collected.items()}
    assert published_scores(built) == scores(counts, seed)
    factors = {
        (row["metric_date"], row["component"]): (row["component_score"], row["has_data"])
        for row in built.rows(
            "select * from analytics.tenant_health_factors where organization_id = %s",
            ORGANIZATION,
        )
    }
    assert factors == {
        (day, weight.component): component_score(found, weight)
        for day, found in counts.items()
        for weight in in_force(seed, day)
    }


def published(database: Database) -> list[dict[str, Any]]:
    """Return all marts of the first organization, except when they were computed."""
    return [
        row
        for mart in ("usage_metrics_daily", "health_factors", "health_scores")
        for row in database.rows(
            f"select to_jsonb(mart) as row from analytics.tenant_{mart} as mart"
            " where organization_id = %s order by 1",
            ORGANIZATION,
        )
    ]


def noted(database: Database) -> set[tuple[object, ...]]:
    rows = database.rows(
        'select "table", key::uuid as key, reason, is_left_out'
        " from operations.quarantined_rows where system = 'usage' and tenant = %s",
        str(ORGANIZATION),
    )
    return {tuple(row.values()) for row in rows}


def noted_by_rules(usage: Usage, other: Usage) -> set[tuple[object, ...]]:
    """Return assignments to campaigns of others, and implausible dates."""
    found: set[tuple[object, ...]] = set()
    for organization, held in ((ORGANIZATION, usage), (OTHER, other)):
        for number, assignment in enumerate(held.assignments):
            owner, campaign = campaign_of(organization, number, assignment)
            if organization == ORGANIZATION != owner:
                key = UUID(int=organization.int * 1000 + number)
                found.add(("campaign_assignments", key, "campaign_id_of_another", True))
            ends_at = assignment.campaign_ends_at
            if owner == ORGANIZATION and ends_at and not plausible(ends_at):
                found.add(("campaigns", campaign, "ends_at_out_of_range", False))
    return found


def campaign_of(organization: UUID, number: int, assignment: Assignment) -> tuple[UUID, UUID]:
    """Return the owner of the campaign, and its id."""
    owner = organization
    if assignment.is_campaign_of_another:
        owner = OTHER if organization == ORGANIZATION else ORGANIZATION
    return owner, UUID(int=owner.int * 1000 + organization.int * 100 + number)


def published_scores(database: Database) -> dict[date, Score]:
    return {
        row["metric_date"]: Score(
            row["overall_score"],
            row["overall_score_observed"],
            Fraction(row["data_coverage"]),
            row["previous_score"],
            row["trend"],
            row["risk_level"],
        )
        for row in database.rows(
            "select * from analytics.tenant_health_scores where organization_id = %s",
            ORGANIZATION,
        )
    }
