{% macro marts_to_move(deltas) -%}
    {#-
    What there is to know of each mart of this publication, in the order of its deltas:
    its table, key, delta, how it moves, and the table of the keys in its scope.
    -#}
    {%- set nodes = marts_of(model) -%}
    {%- set marts = [] -%}
    {%- for name in deltas if name not in nodes -%}
        {%- do exceptions.raise_compiler_error(
            model.name ~ ' gives rows for ' ~ name ~ ', which does not say published_by(ref(\''
            ~ model.name ~ '\'))'
        ) -%}
    {%- endfor -%}
    {%- for name in nodes if name not in deltas -%}
        {%- do exceptions.raise_compiler_error(
            name ~ ' says published_by(ref(\'' ~ model.name ~ '\')), which has no rows for it'
        ) -%}
    {%- endfor -%}
    {%- for name, delta in deltas.items() -%}
        {%- set node = nodes[name] -%}
        {%- set how = node.config.meta.get('published', {}) -%}
        {%- set scope = graph.nodes.get('model.customer_health.' ~ how.get('scope')) -%}
        {%- do check_how_published(node, how, scope) -%}
        {%- do marts.append({
            'name': name,
            'node': node,
            'how': how,
            'table': node.relation_name,
            'key': node.config.unique_key | map('tojson') | list,
            'delta': delta.render(),
            'scope': {
                'table': scope.relation_name,
                'key': scope.config.unique_key | map('tojson') | list,
            } if scope else none,
        }) -%}
    {%- endfor -%}
    {{ return(marts) }}
{%- endmacro %}
