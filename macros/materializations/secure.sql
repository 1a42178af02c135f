{% macro secure(relation) -%}
    {#-
    If the roles are installed, gives a new relation the grants and the row security
    that its readers need, in the transaction that creates it. Otherwise does nothing.
    -#}
    {%- if customer_health.relation_exists(customer_health.our_schema('operations'), 'missing_rights') -%}
        {%- set missing = run_query(
            "select remedy from " ~ customer_health.in_operations('missing_rights')
            ~ " where relation = '" ~ relation.schema ~ "." ~ relation.identifier ~ "'"
        ) -%}
        {%- for row in missing -%}
            {%- call customer_health.with_short_lock() -%} {{ row['remedy'] }} {%- endcall -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
