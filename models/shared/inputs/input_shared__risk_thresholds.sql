-- To override rows and values, add a seed of this name to your own project.
select * from {{ ref('risk_thresholds') }}
