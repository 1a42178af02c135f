{% macro before_seed() -%}
    {#-
    dbt itself would, with --full-refresh, drop the seed with all objects of others that
    depend on it, and would stop if its file has other columns, or words instead of
    numbers.
    -#}
    {%- set existing = load_cached_relation(this) if execute -%}
    {%- if existing -%}
        {%- set rows = load_agate_table() -%}
        {%- set columns = {} -%}
        {%- for name in rows.column_names -%}
            {%- set type = config.get('column_types', {}).get(name) -%}
            {%- do columns.update(
                {name: {'data_type': type or adapter.convert_type(rows, loop.index0)}}
            ) -%}
        {%- endfor -%}
        {%- if should_full_refresh() -%}
            {{ customer_health.drop_ours(existing) }}
        {%- elif customer_health.tables_of_other_columns({this | string: columns}) -%}
            {{ customer_health.drop_ours(existing) }}
            {%- do create_csv_table(model, rows) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{% macro after_seed() -%}
    {#-
    Marks a new seed. It is emptied by delete, which needs a replica identity if all
    tables are published to subscribers.
    -#}
    {%- set marked = run_query(
        "select from pg_class where oid = to_regclass('" ~ this ~ "')"
        ~ " and starts_with(obj_description(oid, 'pg_class'), '" ~ customer_health.our_mark() ~ "')"
    ) -%}
    {%- if marked | length == 0 -%}
        {{ customer_health.mark(this) }};
        alter table {{ this }} replica identity full
    {%- endif -%}
{%- endmacro %}
