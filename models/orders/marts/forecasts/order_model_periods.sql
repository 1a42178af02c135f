{{ config(materialized='view_in_place') }}

with parameters as (
    select * from {{ ref('order_model_parameters') }}
),

final as (
    select
        tenant_id,
        valid_from,
        lead(valid_from) over (partition by tenant_id order by valid_from) as valid_to,
        model,
        r,
        alpha_days,
        -- the formula divides by a - 1; just above 1 the result is the same
        case when abs(a - 1) < 1e-6 then 1 + 1e-6 else a end as a,
        b,
        -- in MBG/NBD a customer may drop out after its first order, in BG/NBD not
        case when model = 'MBG' then 1 else 0 end as first_drop,
        a / (a + b) >= 0.001 as has_dropouts
    from parameters
    where r is not null
)

select * from final
