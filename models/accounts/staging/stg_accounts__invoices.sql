select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        account_id,
        invoice_id,
        due_on,
        paid_on,
        case
            when {{ is_amount('amount') }} then amount::numeric(14, 2)
        end as amount,
        {{ quarantine_reason(
            key='invoice_id',
            required=['organization_id', 'account_id', 'due_on'],
            timestamps=['due_on', 'paid_on'],
            amounts=['amount'],
        ) }} as quarantine_reason
    from (
        select
            id as invoice_id,
            organization_id,
            account_id,
            due_on,
            paid_on,
            amount,
            {{ copy_number(
                source('accounts', 'invoices'),
                key=['organization_id', 'id'],
                newest='due_on',
            ) }} as copy_number
        from {{ source('accounts', 'invoices') }}
    ) as renamed
) as judged
