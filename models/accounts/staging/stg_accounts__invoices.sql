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
            when {{ is_amount('amount') }} then amount::numeric(42, 30)
        end as amount,
        {{ quarantine_reason(
            key='invoice_id',
            copy_number=copy_number('input_accounts__invoices', newest='due_on'),
            required=['organization_id', 'account_id', 'due_on'],
            timestamps=['due_on', 'paid_on'],
            amounts=['amount'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_accounts__invoices') }}
        from {{ ref('input_accounts__invoices') }}
    ) as given
) as judged
