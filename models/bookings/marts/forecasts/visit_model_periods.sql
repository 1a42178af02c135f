{{ config(materialized='view_in_place') }}

with parameters as (
    select * from {{ ref('visit_model_parameters') }}
),

final as (
    select
        organization_id,
        valid_from,
        lead(valid_from) over (partition by organization_id order by valid_from)
            as valid_to,
        model,
        r,
        alpha_days,
        a,
        b,
        -- in MBG/NBD a customer may drop out after its first visit, in BG/NBD not
        case when model = 'MBG' then 1 else 0 end as first_drop,
        a / (a + b) >= 0.001 as has_dropouts
    from parameters
    where r is not null
)

select * from final
