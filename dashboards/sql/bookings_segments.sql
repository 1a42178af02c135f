-- Customers by segment.
select
    customer_segment,
    count(*) as customers_count,
    round(count(*) / sum(count(*)) over (), 4) as customers_rate
from analytics.customer_analytics
where %(organization)s is null or organization_id = %(organization)s
group by customer_segment
order by customer_segment
