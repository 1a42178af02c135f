{% macro key_of_hook() -%}
    {#-
    The key column of a new order, from `hook: {order: ...}` in the sources' yml of the
    table that the input reads; none if the yml names none. An input of the project that
    uses this one as a package replaces ours.
    -#}
    {%- set inputs = {} -%}
    {%- for node in (graph.nodes.values() if execute else [])
        if node.name == 'input_orders__orders'
    -%}
        {%- do inputs.update({node.package_name == 'customer_health': node}) -%}
    {%- endfor -%}
    {%- set input = inputs.get(false, inputs.get(true)) -%}
    {%- for key in (input.depends_on.nodes if input else []) if key in graph.sources -%}
        {%- set hook = graph.sources[key].config.meta.get('hook') -%}
        {%- if hook -%} {{ return(hook.order) }} {%- endif -%}
    {%- endfor -%}
    {{ return(none) }}
{%- endmacro %}
