{% macro rules_have_changed() -%}
    {#-
    Whether the files of the rules have changed since the last refresh that published
    the marts of this system, by the run log: true, false, or null if it does not tell.
    -#}
    {%- if not execute or not var('run_id') or not relation_exists(our_schema('operations'), 'application_logs')
        or not relation_exists(our_schema('operations'), 'orders_publications')
    -%}
        {{ return('null::boolean') }}
    {%- endif -%}
    {%- set found = run_query(
        "select ours.payload ->> 'rules' != held.payload ->> 'rules' as it"
        ~ " from " ~ in_operations('application_logs') ~ " as ours"
        ~ " cross join (select logs.payload from " ~ in_operations('orders_publications') ~ " as done"
        ~ " inner join " ~ in_operations('application_logs') ~ " as logs on done.run_id = logs.logid"
        ~ " order by logs.log_id desc limit 1) as held"
        ~ " where ours.logid = '" ~ var('run_id') ~ "'"
    ).columns[0].values() | list -%}
    {{ return((found[0] | string | lower if found and found[0] is not none else 'null') ~ '::boolean') }}
{%- endmacro %}
