{% materialization publication, adapter='postgres' %}
    {#-
    Makes the tables of the marts that say that they are published by this model, and runs
    the model's SQL, which moves all of them to their next state in one transaction. The
    model's own table is the log of what it moved.
    -#}
    {%- call statement('session') -%} {{ use_session() }} {%- endcall -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set marts = make_tables_of_marts(model) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('log') -%}
        {{ table_of_contract(model, load_cached_relation(this), target_relation) }}
    {%- endcall %}
    {% call statement('main') -%}
        {%- if var('lock_pid') %}
        do $lock$
        begin
            if not {{ holds_lock() }} then
                raise 'the refresh lock was lost, so another refresh may be running';
            end if;
        end
        $lock$;
        {%- endif %}
        {{ sql }}
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation] + marts}) }}
{% endmaterialization %}
