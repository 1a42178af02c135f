-- The values that the write-back columns take. Enum labels can be added between
-- refreshes.
with columns as (
    select * from {{ ref('operational_columns') }}
),

judged as (
    select
        *,
        -- among the statuses that the rules give
        array(
            select status.name
            from unnest(columns.statuses) as status (name)
            where
                length(status.name) > columns.longest
                or (
                    columns.base_type = 'enum'
                    and not exists (
                        select 1
                        from pg_enum
                        where
                            pg_enum.enumtypid = columns.type_id
                            and pg_enum.enumlabel = status.name
                    )
                )
        ) as missing_statuses,
        case
            when origin is null
                then
                    'input_orders__customer_statuses does not take it unchanged from a '
                    || 'column of the table'
            when not is_updatable
                then
                    'input_orders__customer_statuses is not a plain select of one table'
            when is_generated
                then 'the database generates its values'
            when
                not case holds
                    when 'status' then base_type in ('text', 'char', 'enum')
                    when 'date'
                        then base_type in (
                            'date', 'timestamp', 'timestamptz', 'text', 'char'
                        ) and coalesce(longest >= length('YYYY-MM-DD'), true)
                    when 'number'
                        then base_type in (
                            'int2', 'int4', 'int8', 'numeric', 'float4', 'float8',
                            'text', 'char'
                        )
                end
                then format(
                    'its type %s cannot hold a %s', type_name, holds
                )
        end as why_never
    from columns
),

final as (
    select
        column_name,
        type_name,
        base_type,
        relation,
        origin,
        why_never is null as is_written,
        -- all of them, if the column is not written
        case
            when why_never is not null then array['any']
            when is_required then missing_statuses || 'NULL'::text
            else missing_statuses
        end as refused_values,
        case
            when default_expression like '''%'
                then split_part(default_expression, '''', 2)
            else default_expression
        end as default_value,
        case
            when why_never is not null then 'not written, because ' || why_never
            else nullif(
                concat_ws(
                    '; ',
                    case
                        when missing_statuses != '{}'
                            then format(
                                'never set to %s, which its type %s cannot hold:'
                                ' such customers keep their old value',
                                array_to_string(missing_statuses, ' or '),
                                type_name
                            )
                    end,
                    case
                        -- there is always an account type
                        when is_required and column_name != 'account_type'
                            then
                                'left as it is if the rules give no value, because it '
                                || 'must not be NULL'
                    end
                ),
                ''
            )
        end as remark
    from judged
    -- nothing is written for a disabled system
    where {{ var('orders_enabled') }}
)

select * from final
