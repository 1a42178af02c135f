-- Who gets messages about a whole tenant, or about a sales rep's customers: at which
-- address, or why not.
with named as (
    select * from {{ ref('int_message_recipients') }}
),

sales_reps as (
    select * from {{ ref('sales_reps') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

platform_organizations as (
    select * from {{ ref('platform_organizations') }}
),

success_organizations as (
    select * from {{ ref('success_organizations') }}
),

-- the systems that messages are about
everyone as (
    select
        tenant_id::text as tenant_id,
        tenant_slug,
        time_zone
    from tenants

    union all

    select
        organization_id::text as tenant_id,
        organization_slug as tenant_slug,
        time_zone
    from platform_organizations

    union all

    select
        organization_id::text as tenant_id,
        organization_slug as tenant_slug,
        time_zone
    from success_organizations
),

whole_tenants as (
    select
        tenant_id,
        tenant_slug,
        min(time_zone) as time_zone
    from everyone
    group by tenant_id, tenant_slug
),

reps as (
    select
        tenants.tenant_id::text as tenant_id,
        tenants.tenant_slug,
        tenants.time_zone,
        sales_reps.sales_rep_id::text as sales_rep_id,
        sales_reps.sales_rep_name,
        sales_reps.sales_rep_email,
        sales_reps.is_active
    from sales_reps
    inner join tenants
        on sales_reps.tenant_id = tenants.tenant_id
),

-- a rep's own rows count, or those for reps of the tenant, or those for all reps
ranked as (
    select
        reps.*,
        coalesce(named.channel, 'mail') as channel,
        named.address,
        named.quiet_from,
        named.quiet_to,
        coalesce(named.is_unsubscribed = 'true', false) as is_unsubscribed,
        rank() over (
            partition by reps.tenant_id, reps.sales_rep_id
            order by named.sales_rep_id = 'default', named.tenant_slug = 'default'
        ) as remoteness
    from reps
    left join named
        on
            named.tenant_slug in (reps.tenant_slug, 'default')
            and named.sales_rep_id in (reps.sales_rep_id, 'default')
),

places as (
    select
        tenant_id,
        tenant_slug,
        time_zone,
        sales_rep_id,
        sales_rep_name,
        channel,
        case
            when channel = 'mail'
                then coalesce(address, {{ trimmed('sales_rep_email') }})
            else address
        end as address,
        quiet_from,
        quiet_to,
        is_unsubscribed,
        is_active
    from ranked
    where remoteness = 1

    union all

    select
        whole_tenants.tenant_id,
        whole_tenants.tenant_slug,
        whole_tenants.time_zone,
        null as sales_rep_id,
        null as sales_rep_name,
        named.channel,
        named.address,
        named.quiet_from,
        named.quiet_to,
        named.is_unsubscribed = 'true' as is_unsubscribed,
        null as is_active
    from whole_tenants
    inner join named
        on whole_tenants.tenant_slug = named.tenant_slug
    where named.sales_rep_id is null
),

final as (
    select
        tenant_id,
        tenant_slug,
        time_zone,
        sales_rep_id,
        sales_rep_name,
        channel,
        address,
        quiet_from::time as quiet_from,
        quiet_to::time as quiet_to,
        case
            when is_unsubscribed then 'unsubscribed'
            when not is_active then 'has left'
            when address is null then 'no e-mail address'
            when channel = 'mail' and not {{ is_mail_address('address') }}
                then 'no valid e-mail address'
        end as not_told_because
    from places
)

select * from final
