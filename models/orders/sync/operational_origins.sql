-- Where the input's columns come from, which PostgreSQL records in the view's rule. A
-- system that was never enabled has none.
with final as (
    select distinct on (part.words[1])
        part.words[1] as column_name,
        pg_attribute.attrelid::regclass::text as relation,
        pg_attribute.attname::text as origin,
        format_type(pg_attribute.atttypid, pg_attribute.atttypmod) as type_name,
        pg_attribute.attnotnull as is_required,
        pg_attribute.attgenerated != '' or pg_attribute.attidentity = 'a'
            as is_generated,
        pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid) as default_expression
    from pg_rewrite
    cross join
        lateral regexp_matches(
            pg_rewrite.ev_action::text,
            ':resname (\S+) :ressortgroupref \d+ :resorigtbl (\d+) :resorigcol (\d+)',
            'g'
        ) as part (words)
    inner join pg_attribute
        on
            pg_attribute.attrelid = part.words[2]::oid
            and pg_attribute.attnum = part.words[3]::smallint
    left join pg_attrdef
        on
            pg_attribute.attrelid = pg_attrdef.adrelid
            and pg_attribute.attnum = pg_attrdef.adnum
    where
        pg_rewrite.ev_class = to_regclass(
            '{{ ref('input_orders__customer_statuses').include(database=false) }}'
        )
)

select * from final
