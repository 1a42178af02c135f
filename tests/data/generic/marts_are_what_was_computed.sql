{% test marts_are_what_was_computed(model, deltas) %}
-- Each mart of this publication has exactly the rows computed for it, so publishing
-- again would change nothing. The run's own timestamps are not compared.
{%- if execute %}
{%- set marts = marts_of(graph.nodes['model.customer_health.' ~ model.identifier]) %}
{%- if marts | sort != deltas | sort %}
    {%- do exceptions.raise_compiler_error(
        model.identifier ~ ': its marts are ' ~ marts | sort | join(', ')
        ~ '; the test compares ' ~ deltas | sort | join(', ')
    ) %}
{%- endif %}
{%- for name, delta in deltas.items() %}
{%- set node = marts[name] %}
{%- set how = node.config.meta.get('published', {}) %}
{%- set key = node.config.unique_key %}
{%- set stamps = how.get('stamps', {}) %}
{%- set compared = node.columns | reject('in', key) | reject(
    'in', [stamps.inserted, stamps.changed, stamps.written]
) | list %}
{{ 'union all' if not loop.first }}
select
    '{{ name }}' as mart,
    jsonb_build_object(
        {%- for column in key %}
        '{{ column }}', coalesce(delta.{{ column }}, mart.{{ column }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as key,
    case
        when delta.{{ key[0] }} is null then 'is more than was computed'
        when mart.{{ key[0] }} is null then 'is missing'
        else 'differs'
    end as problem
from {{ delta }} as delta
{#- a refresh of some keys computes only them; marts of days and logs keep old rows #}
{%- set is_all = var('refresh_scope') == 'all' and not (how.day or how.only_grows) %}
{{ 'full' if is_all else 'left' }} join {{ node.relation_name }} as mart
    on {{ same('delta', 'mart', key) }}
where
    delta.{{ key[0] }} is null
    or mart.{{ key[0] }} is null
    {#- if only new rows are added until the nightly refresh, changed rows wait, too #}
    {%- if var('refresh_scope') == 'all' or not how.grows_until_nightly %}
    or {{ differ('delta', 'mart', compared) }}
    {%- endif %}
{%- endfor %}
{%- endif %}
{% endtest %}
