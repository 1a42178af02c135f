{{ config(materialized='view_in_place') }}

-- not materialized, so that one customer's contacts are looked up by key
with contacts as not materialized (
    select * from {{ ref('customer_contacts') }}
),

final as (
    select
        contacts.tenant_id,
        contacts.customer_id,
        contacts.contact_id,
        contacts.contacted_at,
        contacts.contacted_by,
        contacts.channel,
        contacts.outcome,
        contacts.note,
        contacts.snoozed_until,
        contacts.corrects_contact_id,
        contacts.recorded_at,
        contacts.recorded_by
    from contacts
    where
        contacts.outcome != 'WITHDRAWN'
        and not exists (
            select
            from contacts as corrections
            where
                contacts.tenant_id = corrections.tenant_id
                and contacts.customer_id = corrections.customer_id
                and contacts.contact_id = corrections.corrects_contact_id
        )
)

select * from final
