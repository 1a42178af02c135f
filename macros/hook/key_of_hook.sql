{% macro key_of_hook() -%}
    {#-
    The column that the sources' yml names as the key of a new order, by `hook: {order: ...}`
    of the table that the input reads; none where it names none. An input of the project that
    takes this one as a package has the place of ours.
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
