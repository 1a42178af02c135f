{% materialization working_table, adapter='postgres' %}
    {#-
    A table between two steps of a refresh: created anew beside the old one and put in
    its place, in one round trip. It is unlogged, because nothing is lost if a crash
    empties it, and analyzed, because the next joins need its statistics; if only a few
    of its columns need them, `meta: {analyzed: [...]}` names these.
    -#}
    {%- call statement('session') -%} {{ use_session() }} {%- endcall -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set new = make_intermediate_relation(target_relation) -%}
    {%- set analyzed = model.config.meta.get('analyzed', []) -%}
    {%- set columns = '(' ~ analyzed | join(', ') ~ ')' if analyzed else '' -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none and not existing.is_table %}
        {{ drop_ours(existing) }}
        {%- set existing = none -%}
    {% endif %}
    {% if
        var('citus') and var('refresh_scope') == 'changed' and existing is not none
        and not var('organization')
    %}
        {#-
        making tables on all nodes costs more than an hourly refresh puts into them. It
        recomputes everything after an upgrade, but a refresh of one organization does
        not, so there the tables may have columns of the last version
        -#}
        {% call statement('main') -%}
            truncate {{ target_relation }};
            insert into {{ target_relation }} (
                {{ sql }}
            );
            analyze {{ target_relation }} {{ columns }}
        {%- endcall %}
    {% else %}
        {% if var('citus') %}
            {#- the rows are computed where they are kept -#}
            {% call statement('empty') -%}
                create unlogged table {{ new }} as (
                    {{ sql }}
                ) with no data;
                {{ mark(new) }}
            {%- endcall %}
            {% call statement('distributed') -%}
                {{ distribute(new, model) }}
            {%- endcall %}
        {% endif %}
        {% call statement('main') -%}
            {%- if var('citus') %}
            insert into {{ new }} (
                {{ sql }}
            );
            {%- else %}
            create unlogged table {{ new }} as (
                {{ sql }}
            );
            {{ mark(new) }};
            {%- endif %}
            analyze {{ new }} {{ columns }};
            {{ put_in_place(new, target_relation) }}
        {%- endcall %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
