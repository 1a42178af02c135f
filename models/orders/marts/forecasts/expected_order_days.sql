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

forms as (
    select
        parts.*,
        form.u,
        form.v,
        form.power,
        -- its terms alternate in sign, and outgrow their sum
        form.u * parts.z < -10 as is_unsound,
        sqrt(parts.z) * (form.u + form.v) - parts.c - 1 as slope,
        sqrt(parts.z) * form.u * form.v - parts.c as height
    from parts
    cross join
        lateral (
            values
            (parts.c - parts.r - parts.repeats_count, parts.a - 1, parts.a - 1),
            (
                parts.r + parts.repeats_count,
                parts.b + parts.repeats_count + parts.first_drop,
                parts.r + parts.repeats_count
            )
        ) as form (u, v, power)
),

-- the ratios fall towards z. From the root of a quadratic equation on they are under
-- the square root of z, and so soon the rest of the sum is 1e-13 of it
sized as (
    select
        *,
        greatest(
            0,
            (
                slope + sqrt(greatest(0, slope ^ 2 + 4 * (1 - sqrt(z)) * height))
            ) / (2 * (1 - sqrt(z)))
        )
        + greatest(0, -u * sqrt(z))
        - 60 / ln(z) as terms_count
    from forms
),

chosen as (
    select distinct on (tenant_id, repeats_count, age_days) *
    from sized
    order by
        tenant_id asc, repeats_count asc, age_days asc, is_unsound asc, terms_count asc
),

ratios as (
    select
        chosen.tenant_id,
        chosen.repeats_count,
        chosen.age_days,
        chosen.a,
        chosen.c,
        chosen.power * ln(1 - chosen.z) as log_scale,
        term.number,
        (chosen.u + term.number) * (chosen.v + term.number) * chosen.z
        / ((chosen.c + term.number) * (term.number + 1)) as ratio
    from chosen
    cross join
        lateral generate_series(
            0, least(5000, ceil(chosen.terms_count))::integer
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
