{% macro status_columns() -%}
    {#-
    by name, the entries of written_columns, or the types of the rules if it does not
    exist
    -#}
    {%- set columns = {} -%}
    {%- for name in [
        'last_order_date', 'next_expected_order_date', 'dormancy_since', 'reactivated_date'
    ] -%}
        {%- do columns.update({name: {'base_type': 'date'}}) -%}
    {%- endfor -%}
    {%- do columns.update({'average_order_interval_days': {'base_type': 'int4'}}) -%}
    {#- in a unit test the graph has no nodes -#}
    {%- set key = 'model.customer_health.written_columns' -%}
    {%- set node = graph.get('nodes', {}).get(key) if execute -%}
    {%- if node and relation_exists(node.schema, node.alias) -%}
        {%- for column in run_query(
            "select column_name, type_name, base_type, is_written, 'NULL' = any(refused_values),"
            ~ " 'ACTIVE' = any(refused_values) from " ~ node.relation_name
        ) -%}
            {%- do columns.update({column[0]: {
                'type_name': column[1],
                'base_type': column[2],
                'is_written': column[3],
                'takes_null': column[3] and not column[4],
                'takes_active': column[3] and not column[5],
            }}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(columns) }}
{%- endmacro %}
