-- The contacts with one customer that took place, as last corrected, latest first.
with contacts as not materialized (
    select
        tenant_id,
        customer_id,
        contact_id,
        contacted_at,
        contacted_by,
        channel,
        outcome,
        note,
        snoozed_until,
        corrects_contact_id,
        recorded_at,
        recorded_by
    from analytics.effective_contacts
    where
        tenant_id = %(tenant_id)s
        and customer_id = %(customer_id)s
        and (%(contact_id)s is null or contact_id = %(contact_id)s)
)

select
    *,
    (select count(*) from contacts) as total
from contacts
order by contacted_at desc, recorded_at desc, contact_id desc
limit %(limit)s offset %(offset)s
