with source as (
    select * from {{ source('commerce', 'sales_reps') }}
),

renamed as (
    select
        id as sales_rep_id,
        tenant_id,
        name as sales_rep_name,
        email as sales_rep_email,
        is_active,
        updated_at,
        {{ copy_number(
            source('commerce', 'sales_reps'), key=['tenant_id', 'id'], newest='updated_at'
        ) }} as copy_number
    from source
),

judged as (
    select
        tenant_id,
        sales_rep_id,
        sales_rep_name,
        sales_rep_email,
        is_active,
        updated_at,
        {{ quarantine_reason(
            key='sales_rep_id',
            required=['tenant_id'],
            timestamps=['updated_at'],
        ) }} as quarantine_reason
    from renamed
),

final as (
    select
        *,
        {{ is_valid() }} as is_valid
    from judged
)

select * from final
