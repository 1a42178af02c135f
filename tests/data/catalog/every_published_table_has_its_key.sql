{{ config(tags=['sanity'], meta={'sanity_check': 24}) }}

-- States: every published table has a unique index on its key, and no key column may be
-- NULL.
-- Matters: after the publication; without it, two refreshes could duplicate a row.
-- To resolve: somebody dropped the index or the constraint; run once with
-- --full-refresh.
with promised as (
    {{ published_keys() }}
),

-- indexes are created with the first rows
published as (
    select mart from {{ ref('orders_publications') }}
    union
    select mart from {{ ref('bookings_publications') }}
    union
    select mart from {{ ref('usage_publications') }}
    union
    select mart from {{ ref('accounts_publications') }}
),

indexed as (
    select
        pg_namespace.nspname as table_schema,
        pg_class.relname as table_name,
        pg_attribute.attname as column_name
    from pg_index
    inner join pg_class
        on pg_index.indrelid = pg_class.oid
    inner join pg_namespace
        on pg_class.relnamespace = pg_namespace.oid
    inner join pg_attribute
        on
            pg_index.indrelid = pg_attribute.attrelid
            and pg_attribute.attnum = any(pg_index.indkey)
    where
        pg_index.indisunique
        and pg_index.indisvalid
        and pg_attribute.attnotnull
)

select promised.*
from promised
inner join published
    on promised.table_name = published.mart
except
select * from indexed
