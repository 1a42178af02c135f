{% macro before_seed() -%}
    {#- dbt itself would drop it with what others have built on it -#}
    {%- if should_full_refresh() -%}
        {{ drop_ours(load_cached_relation(this)) }}
    {%- endif -%}
{%- endmacro %}


{% macro after_seed() -%}
    {#-
    Marks a seed that is new. It is emptied by delete, which asks for an identity of its rows
    where all tables are published to subscribers.
    -#}
    {%- set marked = run_query(
        "select from pg_class where oid = to_regclass('" ~ this ~ "')"
        ~ " and starts_with(obj_description(oid, 'pg_class'), '" ~ our_mark() ~ "')"
    ) -%}
    {%- if marked | length == 0 -%}
        {{ mark(this) }};
        alter table {{ this }} replica identity full
    {%- endif -%}
{%- endmacro %}
