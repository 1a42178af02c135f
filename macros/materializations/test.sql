{% materialization test, adapter='postgres' %}
    {#-
    Counts the rows that are wrong, and keeps them in a table only when there are any: one
    query for a test that passes, where dbt's own makes a table each time. A table of an
    earlier failure is dropped when its test passes again. It is unlogged: subscribers of
    all tables would stop at a new table that they lack.
    -#}
    {%- call statement('session') -%} {{ customer_health.use_session() }} {%- endcall -%}
    {%- set kept = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set wrong = get_limit_subquery_sql(sql, config.get('limit')) -%}

    {%- call statement('main', fetch_result=True) -%}
        {{ get_test_sql(
            wrong, config.get('fail_calc'), config.get('warn_if'), config.get('error_if'),
            limit=none
        ) }}
    {%- endcall -%}

    {%- if should_store_failures() and load_result('main').table.columns[0].values()[0] -%}
        {%- set new = make_intermediate_relation(kept) -%}
        {%- call statement('keep') -%}
            create unlogged table {{ new }} as (
                {{ wrong }}
            );
            {{ customer_health.mark(new) }};
            {{ customer_health.put_in_place(new, kept) }}
        {%- endcall -%}
    {%- elif existing is not none -%}
        {%- call statement('forget') -%}
            {{ customer_health.drop_or_empty(existing) }}
        {%- endcall -%}
    {%- endif -%}
    {{ adapter.commit() }}

    {{ return({'relations': [kept]}) }}
{% endmaterialization %}
