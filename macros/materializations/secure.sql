{% macro secure(relation) -%}
    {#-
    Where the roles are installed: gives a relation that is new the grants and the row
    security that its readers need, in the transaction that makes it. Else nothing.
    -#}
    {%- if is_there(our_schema('operations'), 'missing_rights') -%}
        {%- set missing = run_query(
            "select remedy from " ~ in_operations('missing_rights')
            ~ " where relation = '" ~ relation.schema ~ "." ~ relation.identifier ~ "'"
        ) -%}
        {%- for row in missing -%}
            {%- call with_short_lock() -%} {{ row['remedy'] }} {%- endcall -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
