{{ config(tags=['settings', 'sanity'], meta={'sanity_check': 23}) }}

-- States: every threshold in force is within its limits, and related thresholds are in
-- order.
-- Matters: always; nothing is built on wrong thresholds.
-- To resolve: correct the cell of seeds/risk_thresholds.csv that the test names.
with thresholds as (
    select * from {{ ref('int_risk_thresholds') }}
),

in_force as (
    select
        thresholds.tenant_slug,
        (
            to_jsonb(standard) || jsonb_strip_nulls(to_jsonb(thresholds))
        ) as threshold
    from thresholds
    left join thresholds as standard
        on standard.tenant_slug = 'default'
),

cells as (
    select
        in_force.tenant_slug,
        cell.key as setting,
        cell.value::numeric as given
    from in_force
    cross join lateral jsonb_each_text(in_force.threshold - 'tenant_slug') as cell
),

ordered as (
    select
        in_force.tenant_slug,
        pair.lesser,
        pair.greater,
        (in_force.threshold ->> pair.lesser)::numeric as lesser_given,
        (in_force.threshold ->> pair.greater)::numeric as greater_given
    from in_force
    cross join (
        values
        ('grace_days', 'dormant_days'),
        ('active_days', 'target_days'),
        ('segment_active_days', 'segment_at_risk_days')
    ) as pair (lesser, greater)
),

problems as (
    select
        tenant_slug,
        setting,
        given,
        'must be a number from 1 to 3650' as allowed
    from cells
    where given is null or given < 1 or given > 3650

    union all

    select
        tenant_slug,
        setting,
        given,
        'must be at most 100' as allowed
    from cells
    where
        setting in (
            'revenue_decline_pct', 'cadence_orders', 'recent_orders', 'baseline_orders'
        )
        and given > 100

    union all

    select
        tenant_slug,
        setting,
        given,
        'must be at least 2: one order has no gap' as allowed
    from cells
    where setting = 'cadence_orders' and given < 2

    union all

    select
        tenant_slug,
        'min_baseline_orders' as setting,
        (threshold ->> 'min_baseline_orders')::numeric as given,
        'must be at most baseline_orders' as allowed
    from in_force
    where
        (threshold ->> 'min_baseline_orders')::numeric
        > (threshold ->> 'baseline_orders')::numeric

    union all

    select
        tenant_slug,
        lesser as setting,
        lesser_given as given,
        format('must be less than %s, which is %s', greater, greater_given) as allowed
    from ordered
    where lesser_given >= greater_given

    union all

    select
        tenant_slug,
        'tenant_slug' as setting,
        count(*) as given,
        'must stand in one row' as allowed
    from thresholds
    group by tenant_slug
    having count(*) > 1

    union all

    select
        'default' as tenant_slug,
        'tenant_slug' as setting,
        0 as given,
        'there must be a row default' as allowed
    where 'default' not in (select tenant_slug from thresholds)
)

select * from problems
