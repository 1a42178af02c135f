{{ config(tags=['sanity', 'bookings', 'nightly'], meta={'sanity_check': 1}) }}

-- States: customer_analytics has the columns, types and indexes it promises, and at
-- least 65 columns.
-- Matters: after the publication; if it fails, nothing is written back.
-- To resolve: somebody altered the table; restore it, or run once with --full-refresh.
with promised as (
    {{ contract_parts(ref('customer_analytics')) }}
),

mart_columns as (
    select
        'column ' || attname as part,
        atttypid::regtype::text as definition
    from pg_attribute
    where
        attrelid = '{{ ref("customer_analytics") }}'::regclass
        and attnum > 0
        and not attisdropped
),

mart_indexes as (
    select
        'index ' || string_agg(
            index_columns.attname, ', ' order by index_columns.attnum
        ) as part,
        case when pg_index.indisunique then 'unique' else pg_am.amname end as definition
    from pg_index
    inner join pg_class
        on pg_index.indexrelid = pg_class.oid
    inner join pg_am
        on pg_class.relam = pg_am.oid
    inner join pg_attribute as index_columns
        on pg_index.indexrelid = index_columns.attrelid
    where
        pg_index.indrelid = '{{ ref("customer_analytics") }}'::regclass
        and pg_index.indisvalid
    group by pg_index.indexrelid, pg_index.indisunique, pg_am.amname
),

-- indexes are created with the first rows
published as (
    select promised.*
    from promised
    where
        exists (
            select from {{ ref('bookings_publications') }} as publications
            where publications.mart = 'customer_analytics'
        )
),

missing as (
    select * from published
    except
    select * from mart_columns
    except
    select * from mart_indexes
),

too_few as (
    select
        'columns' as part,
        count(*)::text as definition
    from mart_columns
    having count(*) < 65
)

select * from missing
union all
select * from too_few
