-- People who get no messages now, by reason.
select
    reason,
    count(*) as recipients_count
from operations.unreached(null)
group by reason
