{% macro as_before_refresh(mart) -%}
    {#-
    No ref: the scope reads what the marts of the refresh before hold. What that has not yet,
    the whole mart or a column that is new, is NULL. The command `check` looks at inputs as if
    nothing was ever refreshed.
    -#}
    {%- set node = graph.nodes['model.customer_health.' ~ mart] if execute -%}
    {%- set held = run_query(
        "select attname from pg_attribute where attrelid = to_regclass('"
        ~ node.relation_name ~ "') and attnum > 0 and not attisdropped"
    ).columns[0].values() | list if node and not var('checks_inputs', false) else [] -%}
    {%- set missing = node.columns.values() | rejectattr('name', 'in', held) | list
        if node else [] -%}
    {%- if held and not missing -%}
        {{ node.relation_name }}
    {%- else -%}
        (
            select
                {%- if held %}
                held.*,
                {%- endif %}
                {%- for column in missing %}
                null::{{ column.data_type }} as {{ adapter.quote(column.name) }}
                {{- ',' if not loop.last }}
                {%- endfor %}
            {%- if held %}
            from {{ node.relation_name }} as held
            {%- else %}
            where false
            {%- endif %}
        )
    {%- endif -%}
{%- endmacro %}
