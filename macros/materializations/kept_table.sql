{% materialization kept_table, adapter='postgres' %}
    {#-
    A table whose rows a command writes, and no refresh: created from its contract with
    its key, and extended by new columns and indexes.
    -#}
    {%- call statement('session') -%} {{ use_session() }} {%- endcall -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('main') -%}
        {{ table_of_contract(model, existing, target_relation) }}
    {%- endcall %}
    {%- if existing is none %}
    {% call statement('key') -%}
        create unique index {{ name_of_index(this.identifier, ['key']) }}
        on {{ target_relation }} ({{ config.get('unique_key') | join(', ') }});
        alter table {{ target_relation }}
        replica identity using index {{ name_of_index(this.identifier, ['key']) }};
    {%- endcall %}
    {%- endif %}
    {%- for index in config.get('indexes', []) %}
    {%- set name = name_of_index(this.identifier, index.columns) %}
    {%- set made = this.incorporate(path={'identifier': name}) %}
    {%- if run_query("select where to_regclass('" ~ made ~ "') is null") | length %}
    {% call statement('index') -%}
        {%- call with_short_lock() -%}
        create index {{ name }} on {{ target_relation }} ({{ index.columns | join(', ') }})
        {%- endcall %}
    {%- endcall %}
    {%- endif %}
    {%- endfor %}
    {%- if var('citus') -%} {%- do run_query(distribute(this, model)) -%} {%- endif -%}
    {% do persist_docs(target_relation, model, for_relation=false) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
