{% macro as_before_refresh(mart) -%}
    {#-
    No ref: the scope reads the marts as the previous refresh left them. A missing mart
    has no rows, a new column is NULL. The command `check` works as if no refresh had
    ever run.
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
