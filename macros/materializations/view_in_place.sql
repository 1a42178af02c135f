{% materialization view_in_place, adapter='postgres' %}
    {#-
    A view that is replaced where it stands, so that other people's views, grants and
    policies on it survive. PostgreSQL refuses that when columns are removed or change
    type; then, and only then, --full-refresh drops it with all that depends on it.
    A view of a system that is switched off has the columns of its contract and no rows.
    -#}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set enabled_by = config.get('meta', {}).get('enabled_by') -%}
    {%- set is_enabled = enabled_by is none or var(enabled_by) -%}
    {%- set body = sql if is_enabled else get_empty_schema_sql(model['columns']) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none and (should_full_refresh() or not existing.is_view) %}
        {{ drop_relation_if_exists(existing) }}
    {% endif %}

    {% call statement('main') -%}
        create or replace view {{ target_relation }}
        with (security_invoker = true)
        {%- if config.get('contract').enforced %}
            {{ get_assert_columns_equivalent(body) }}
        {%- endif %}
        as (
            {{ body }}
        )
    {%- endcall %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke=False) %}
    {% do persist_docs(target_relation, model) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
