{{ config(materialized='view_in_place') }}

with given as (
    select {{ columns_of_input('input_shared__message_recipients') }}
    from {{ ref('input_shared__message_recipients') }}
),

-- dbt guesses the types of a seed; message_recipients_are_sane reports invalid cells
final as (
    select
        {{ trimmed('tenant_slug::text') }} as tenant_slug,
        {{ trimmed('sales_rep_id::text') }} as sales_rep_id,
        coalesce({{ trimmed('channel::text') }}, 'mail') as channel,
        {{ trimmed('address::text') }} as address,
        {{ trimmed('quiet_from::text') }} as quiet_from,
        {{ trimmed('quiet_to::text') }} as quiet_to,
        coalesce(lower({{ trimmed('is_unsubscribed::text') }}), 'false')
            as is_unsubscribed
    from given
)

select * from final
