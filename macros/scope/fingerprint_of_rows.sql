{% macro fingerprint_of_rows(relation) -%}
    md5(string_agg(md5({{ relation }}::text), '' order by md5({{ relation }}::text)))
{%- endmacro %}
