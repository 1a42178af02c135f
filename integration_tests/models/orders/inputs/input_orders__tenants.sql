-- one business
select
    'harbour' as tenant_id,
    'harbour' as tenant_slug,
    'UTC' as time_zone,
    true as is_active
