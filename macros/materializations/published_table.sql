{% materialization published_table, adapter='postgres' %}
    {#-
    A table of the public contract. This creates it with the columns of its contract and
    adds columns that are new; it never fills it. Rows, and with the first of them the
    indexes, arrive by the publication of its system, which moves all marts at once. A
    mart is never dropped, except by --full-refresh after a column was removed or changed.
    -#}
    {%- call statement('session') -%} {{ use_session() }} {%- endcall -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {{ get_assert_columns_equivalent(sql) }}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('main') -%}
        {{ table_of_contract(existing, target_relation) }}
    {%- endcall %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke=False) %}
    {#- the comment of the relation is our mark #}
    {% do persist_docs(target_relation, model, for_relation=false) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
