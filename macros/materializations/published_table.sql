{% materialization published_table, adapter='postgres' %}
    {#-
    A table of the public contract. Its publication runs before, and has created it,
    filled it and brought it up to its contract: see the materialization publication. So
    only rights and comments are left to set here.
    -#}
    {%- call statement('session') -%} {{ use_session() }} {%- endcall -%}
    {%- set target_relation = load_cached_relation(this) -%}
    {%- if target_relation is none -%}
        {%- do exceptions.raise_compiler_error(
            this ~ ' does not exist: its publication creates it; run that, too:'
            ~ ' --select +' ~ model.name
        ) -%}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% do store_raw_result('main', message='PUBLISHED', code='PUBLISHED', rows_affected='-1') %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke=False) %}
    {#- the comment of the relation is our mark #}
    {% do persist_docs(target_relation, model, for_relation=false) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
