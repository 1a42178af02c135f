{{ config(materialized='view_in_place') }}

-- The closed form of the model holds a hypergeometric function, a sum of terms: the
-- first is 1, and each is the one before times a ratio. It has two forms, equal by
-- Euler's transformation. Their terms are logarithms first, so nothing overflows.
with order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

models as (
    select * from {{ ref('order_model_periods') }}
),

-- customers that have ordered as often, for the same time, are alike
histories as (
    select distinct
        order_days.tenant_id,
        order_days.order_day_number - 1 as repeats_count,
        tenants.today - order_days.first_delivered_on as age_days
    from order_days
    inner join tenants
        on order_days.tenant_id = tenants.tenant_id
    where order_days.next_delivered_on is null
),

parts as (
    select
        histories.*,
        models.r,
        models.a,
        models.b,
        models.first_drop,
        90 / (models.alpha_days + histories.age_days + 90) as z,
        models.a + models.b + histories.repeats_count + models.first_drop - 1 as c
    from histories
    inner join tenants
        on histories.tenant_id = tenants.tenant_id
    inner join models
        on
            histories.tenant_id = models.tenant_id
            and tenants.today >= models.valid_from
            and (tenants.today < models.valid_to or models.valid_to is null)
),

-- Euler's form has few terms, unless those that alternate in sign outgrow their sum
chosen as (
    select
        *,
        (r + 1 - first_drop - a - b) * z > 10 as is_direct_form
    from parts
),

forms as (
    select
        *,
        case when is_direct_form then r + repeats_count else c - r - repeats_count end
            as u,
        case when is_direct_form then b + repeats_count + first_drop else a - 1 end
            as v,
        case when is_direct_form then r + repeats_count else a - 1 end as power
    from chosen
),

-- terms grow while the ratio is over 1: up to the root of a quadratic equation
equations as (
    select
        *,
        z * (u + v) - c - 1 as slope,
        z * u * v - c as offset_of_root
    from forms
),

sized as (
    select
        *,
        greatest(
            0,
            (
                slope
                + sqrt(greatest(0, slope ^ 2 + 4 * (1 - z) * offset_of_root))
            ) / (2 * (1 - z))
        ) + greatest(0, -u * z) as largest_term
    from equations
),

ratios as (
    select
        sized.tenant_id,
        sized.repeats_count,
        sized.age_days,
        sized.a,
        sized.c,
        sized.power * ln(1 - sized.z) as log_scale,
        term.number,
        (sized.u + term.number) * (sized.v + term.number) * sized.z
        / ((sized.c + term.number) * (term.number + 1)) as ratio
    from sized
    cross join
        lateral generate_series(
            0,
            -- from there on each is smaller than 1e-13 of the first
            least(5000, ceil(
                sized.largest_term
                + 12 * sqrt(sized.largest_term / (1 - sized.z))
                - 30 / ln(sized.z)
            ))::integer
        ) as term (number)
),

terms as (
    select
        *,
        sum(case when ratio = 0 then -700 else ln(abs(ratio)) end) over to_here
            as log_size,
        1 - 2 * (count(*) filter (where ratio < 0) over to_here % 2) as sign
    from ratios
    window to_here as (
        partition by tenant_id, repeats_count, age_days
        order by number
    )
),

summed as (
    select
        tenant_id,
        repeats_count,
        age_days,
        a,
        c,
        exp({{ within_exp('log_scale') }})
        + sum(sign * exp({{ within_exp('log_scale + log_size') }})) as share_left
    from terms
    group by tenant_id, repeats_count, age_days, a, c, log_scale
),

final as (
    select
        tenant_id,
        repeats_count,
        age_days,
        c / (a - 1) * (1 - share_left) as expected_order_days_90d
    from summed
)

select * from final
