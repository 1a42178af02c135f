{{ config(unique_key=['tenant_id', 'sales_rep_id']) }}

select * from {{ ref('int_sales_reps') }}
