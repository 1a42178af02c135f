{% materialization test, adapter='postgres' %}
    {#-
    Counts the rows that are wrong, and keeps them in a table only when there are any: one
    query for a test that passes, where dbt's own makes a table each time. A table of an
    earlier failure is dropped when its test passes again.
    -#}
    {%- call statement('session') -%} {{ use_session() }} {%- endcall -%}
    {%- set kept = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set wrong = get_limit_subquery_sql(sql, config.get('limit')) -%}

    {%- call statement('main', fetch_result=True) -%}
        {{ get_test_sql(
            wrong, config.get('fail_calc'), config.get('warn_if'), config.get('error_if'),
            limit=none
        ) }}
    {%- endcall -%}

    {%- do drop_relation_if_exists(existing) -%}
    {%- if should_store_failures() and load_result('main').table.columns[0].values()[0] -%}
        {%- call statement('keep') -%}
            {{ get_create_table_as_sql(False, kept, wrong) }}
        {%- endcall -%}
    {%- endif -%}
    {{ adapter.commit() }}

    {{ return({'relations': [kept]}) }}
{% endmaterialization %}
