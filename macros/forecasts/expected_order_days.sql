{% macro expected_order_days(horizon_days, history, model) -%}
{#-
Expected number of order days within a horizon for a customer that has not dropped out:
a query for a lateral join. So it is computed only for the final rows of a query, and
not at all if the query does not use it.

The closed form of the model holds a hypergeometric function, a sum of terms: the first
is 1, and each is the one before times a ratio. It has two forms, equal by Euler's
transformation. Their terms are computed as logarithms first, so nothing overflows.
`offset 0` makes PostgreSQL compute a step once.
-#}
with parts as (
    select
        {{ model }}.a,
        {{ horizon_days }} / (
            {{ model }}.alpha_days + {{ history }}.age_days + {{ horizon_days }}
        ) as z,
        {{ model }}.a + {{ model }}.b + {{ history }}.repeats_count
        + {{ model }}.first_drop - 1 as c
    where {{ model }}.r is not null
    {{ fence() }}
),

forms as (
    select
        parts.*,
        form.u,
        form.v,
        form.power,
        sqrt(parts.z) * (form.u + form.v) - parts.c - 1 as slope,
        sqrt(parts.z) * form.u * form.v - parts.c as height
    from parts
    cross join
        lateral (
            values
            (
                parts.c - {{ model }}.r - {{ history }}.repeats_count,
                {{ model }}.a - 1,
                {{ model }}.a - 1
            ),
            (
                {{ model }}.r + {{ history }}.repeats_count,
                {{ model }}.b + {{ history }}.repeats_count + {{ model }}.first_drop,
                {{ model }}.r + {{ history }}.repeats_count
            )
        ) as form (u, v, power)
    {{ fence() }}
),

-- The ratios fall toward z. After the root of a quadratic equation they are below the
-- square root of z, so the rest of the sum soon is less than 1e-13 of it.
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
    select * from sized
    -- if u is far below 0, the terms alternate in sign and become larger than their sum
    order by u * z < -10, terms_count
    limit 1
),

ratios as (
    select
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
    {{ fence() }}
),

terms as (
    select
        *,
        sum(case when ratio = 0 then -700 else ln(abs(ratio)) end) over to_here
            as log_size,
        1 - 2 * (count(*) filter (where ratio < 0) over to_here % 2) as sign
    from ratios
    window to_here as (order by number rows unbounded preceding)
)

select
    -- the same in each row
    min(c) / (min(a) - 1)
    * (
        1 - (
            exp({{ within_exp('min(log_scale)') }})
            + sum(sign * exp({{ within_exp('log_scale + log_size') }}))
        )
    ) as expected_order_days
from terms
{%- endmacro %}
