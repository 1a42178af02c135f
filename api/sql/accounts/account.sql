-- One account, with everything known about it.
select *
from analytics.account_360
where
    organization_id = %(organization_id)s
    and account_id = %(account_id)s
