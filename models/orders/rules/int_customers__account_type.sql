{{ config(meta={'analyzed': ['tenant_id', 'customer_id']}) }}

with customers as (
    select * from {{ ref('int_customers') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

pauses as (
    select * from {{ ref('int_order_pauses') }}
),

orders_ahead as (
    select * from {{ ref('int_customers__orders_ahead') }}
),

judged as (
    select
        customers.tenant_id,
        customers.customer_id,
        customers.customer_name,
        customers.sales_rep_id,
        customers.created_on,
        latest.last_ordered_at,
        latest.last_ordered_on,
        latest.target_on,
        latest.prospect_on,
        tenants.today,
        tenants.time_zone,
        tenants.threshold_row,
        case
            -- ordered lately
            when tenants.today < latest.target_on then 'ACTIVE'
            -- could be won back
            when tenants.today < latest.prospect_on then 'TARGET'
            -- never ordered, or too long ago
            else 'PROSPECT'
        end as account_type
    from customers
    inner join tenants
        on customers.tenant_id = tenants.tenant_id
    left join pauses as latest
        on
            customers.tenant_id = latest.tenant_id
            and customers.customer_id = latest.customer_id
            and latest.next_ordered_on is null
),

dated as (
    select
        *,
        case
            when account_type = 'ACTIVE' then 'TARGET'
            when account_type = 'TARGET' then 'PROSPECT'
        end as next_account_type,
        case
            when account_type = 'ACTIVE' then target_on
            when account_type = 'TARGET' then prospect_on
            -- created in the future, by its own date: its history begins today, on
            -- every refresh
            when last_ordered_on is null and created_on > today then today + 1
        end as changes_on
    from judged
),

final as (
    select
        dated.tenant_id,
        dated.customer_id,
        dated.customer_name,
        dated.sales_rep_id,
        dated.account_type,
        case
            when dated.last_ordered_on is null then 'Prospect: never ordered'
            else format(
                '%s: last order %s, active until %s, target until %s',
                initcap(dated.account_type),
                {{ iso_date('dated.last_ordered_on') }},
                {{ iso_date('dated.target_on - 1') }},
                {{ iso_date('dated.prospect_on - 1') }}
            )
        end as reason,
        dated.last_ordered_at,
        dated.next_account_type,
        case when dated.next_account_type is not null then dated.changes_on end
            as next_account_type_on,
        dated.threshold_row,
        least(
            {{ local_midnight('dated.changes_on', 'dated.time_zone') }},
            orders_ahead.next_ordered_at,
            -- the first delivery gives the customer a risk status
            orders_ahead.next_delivered_at
        ) as valid_until
    from dated
    left join orders_ahead
        on
            dated.tenant_id = orders_ahead.tenant_id
            and dated.customer_id = orders_ahead.customer_id
)

select * from final
