-- Revenue, size and renewal are not dated: they are today's values of the source, and
-- the rank uses them among the accounts that existed on the day.
with account_days as not materialized (
    select * from {{ ref('int_account_days') }}
),

accounts as (
    select * from {{ ref('int_accounts') }}
),

invoices as (
    select * from {{ ref('stg_accounts__invoices') }}
),

valued as not materialized (
    select
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on,
        accounts.renewal_on - account_days.evaluated_on as days_to_renewal,
        accounts.arr
    from account_days
    left join accounts
        on
            account_days.organization_id = accounts.organization_id
            and account_days.account_id = accounts.account_id
),

-- percent_rank() returns 0 for a single row, which should have no rank, and is a double
ranked as (
    select
        organization_id,
        account_id,
        evaluated_on,
        {{ exact_ratio(
            '(rank() over (days order by arr) - 1)::numeric',
            'nullif(count(*) over days - 1, 0)'
        ) }} as arr_rank
    from valued
    where arr is not null
    window days as (partition by organization_id, evaluated_on)
),

-- an unpaid invoice due today is neither on time nor late
billed as (
    select
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on,
        invoices.amount,
        coalesce(invoices.paid_on <= account_days.evaluated_on, false) as is_paid,
        coalesce(
            invoices.paid_on <= least(invoices.due_on, account_days.evaluated_on), false
        ) as is_paid_on_time,
        invoices.due_on < account_days.evaluated_on as is_due
    from account_days
    inner join invoices
        on
            account_days.organization_id = invoices.organization_id
            and account_days.account_id = invoices.account_id
    where invoices.is_valid
),

invoiced as (
    select
        organization_id,
        account_id,
        evaluated_on,
        {{ exact_ratio(
            'count(*) filter (where is_paid_on_time)',
            'nullif(count(*) filter (where is_paid or is_due), 0)'
        ) }} as paid_on_time_rate,
        count(*) filter (where is_due and not is_paid) as overdue_invoices_count,
        sum(amount) filter (where is_due and not is_paid) as overdue_amount
    from billed
    group by organization_id, account_id, evaluated_on
),

final as (
    select
        valued.organization_id,
        valued.account_id,
        valued.evaluated_on,
        valued.days_to_renewal,
        ranked.arr_rank,
        invoiced.paid_on_time_rate,
        coalesce(invoiced.overdue_invoices_count, 0) as overdue_invoices_count,
        coalesce(invoiced.overdue_amount, 0)::numeric(18, 2) as overdue_amount
    from valued
    left join ranked
        on
            valued.organization_id = ranked.organization_id
            and valued.account_id = ranked.account_id
            and valued.evaluated_on = ranked.evaluated_on
    left join invoiced
        on
            valued.organization_id = invoiced.organization_id
            and valued.account_id = invoiced.account_id
            and valued.evaluated_on = invoiced.evaluated_on
)

select * from final
