-- Whether a contact's customer exists, and the contact that it corrects.
select
    (
        select count(*)
        from analytics.customer_account_types
        where
            tenant_id = %(tenant_id)s
            and customer_id = %(customer_id)s
    ) as customers_count,
    (
        select count(*)
        from operations.customer_contacts
        where
            tenant_id = %(tenant_id)s
            and customer_id = %(customer_id)s
            and contact_id = %(corrects_contact_id)s
    ) as corrected_count
