-- Types of the columns that are written back, as in the view through which they are
-- written. Read from the catalog each time, because NOT NULL can change between
-- refreshes.
{%- set view = ref('stg_orders__customer_statuses') %}
with recursive duties (column_name, holds, statuses) as (
    values
    ('account_type', 'status', array['ACTIVE', 'TARGET', 'PROSPECT']),
    (
        'risk_status',
        'status',
        array['HEALTHY', 'AT_RISK_CADENCE', 'AT_RISK_REVENUE', 'DORMANT']
    ),
    ('last_order_date', 'date', '{}'),
    ('next_expected_order_date', 'date', '{}'),
    ('average_order_interval_days', 'number', '{}'),
    ('dormancy_since', 'date', '{}'),
    ('reactivated_date', 'date', '{}')
),

-- a domain resolves to its base type; it takes no NULL if any domain on the way does
-- not
types as (
    select
        pg_attribute.attname as column_name,
        pg_attribute.attnum as column_number,
        format_type(pg_attribute.atttypid, pg_attribute.atttypmod) as type_name,
        pg_attribute.atttypid as type_id,
        pg_attribute.atttypmod as type_modifier,
        false as is_required
    from pg_attribute
    where
        pg_attribute.attrelid = '{{ view }}'::regclass
        and pg_attribute.attnum > 0

    union all

    select
        types.column_name,
        types.column_number,
        types.type_name,
        pg_type.typbasetype as type_id,
        pg_type.typtypmod as type_modifier,
        types.is_required or pg_type.typnotnull as is_required
    from types
    inner join pg_type
        on types.type_id = pg_type.oid
    where pg_type.typtype = 'd'
),

origins as (
    select * from {{ ref('operational_origins') }}
),

final as (
    select
        duties.column_name,
        duties.holds,
        duties.statuses,
        types.type_name,
        pg_type.oid as type_id,
        case
            when pg_type.typname = 'bpchar' then 'char'
            when pg_type.typcategory = 'S' then 'text'
            when pg_type.typcategory = 'E' then 'enum'
            else pg_type.typname::text
        end as base_type,
        case
            when pg_type.typname in ('varchar', 'bpchar') and types.type_modifier > 0
                then types.type_modifier - 4
        end as longest,
        types.is_required or coalesce(origins.is_required, false) as is_required,
        origins.relation,
        origins.origin,
        coalesce(origins.is_generated, false) as is_generated,
        pg_column_is_updatable('{{ view }}'::regclass, types.column_number, true)
            as is_updatable,
        origins.default_expression
    from duties
    inner join types
        on duties.column_name = types.column_name
    inner join pg_type
        on
            types.type_id = pg_type.oid
            and pg_type.typtype != 'd'
    left join origins
        on duties.column_name = origins.column_name
)

select * from final
