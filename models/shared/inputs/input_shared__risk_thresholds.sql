-- A seed of this name in a project of your own has the rows and cells that differ.
select * from {{ ref('risk_thresholds') }}
