select
    organization_id,
    account_id,
    id as invoice_id,
    due_on,
    paid_on,
    amount
from {{ source('accounts', 'invoices') }}
