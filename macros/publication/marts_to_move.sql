{% macro marts_to_move(deltas) -%}
    {#-
    The facts about each mart of this publication, in the order of its deltas: table,
    key, columns by which people find rows, delta, how it moves, and the table of the
    keys in its scope.
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
        {%- set searched = node.config.unique_key
            + node.config.get('indexes', []) | sum(attribute='columns', start=[]) -%}
        {%- do marts.append({
            'name': name,
            'node': node,
            'how': how,
            'table': node.relation_name,
            'key': node.config.unique_key | map('tojson') | list,
            'searched': searched | unique | map('tojson') | list,
            'delta': delta.render(),
            'scope': {
                'table': scope.relation_name,
                'key': scope.config.unique_key | map('tojson') | list,
            } if scope else none,
        }) -%}
    {%- endfor -%}
    {{ return(marts) }}
{%- endmacro %}


{% macro check_how_published(node, how, scope) -%}
    {#- refuses an invalid `meta: {published: ...}` of a mart -#}
    {%- set columns = node.columns.keys() | list -%}
    {%- set key = node.config.unique_key -%}
    {%- set stamps = how.get('stamps', {}) -%}
    {%- set problems = [] -%}
    {%- for name in how
        if name not in [
            'scope', 'day', 'keep_days', 'grows_until_nightly', 'only_grows', 'stamps'
        ] -%}
        {%- do problems.append(name ~ ' is unknown') -%}
    {%- endfor -%}
    {%- for name in stamps
        if name not in ['inserted', 'changed', 'written', 'unchanged_by'] -%}
        {%- do problems.append('stamps.' ~ name ~ ' is unknown') -%}
    {%- endfor -%}
    {%- if how.scope and not scope -%}
        {%- do problems.append('scope is ' ~ how.scope ~ ', must be a model') -%}
    {%- elif scope and not scope.config.unique_key -%}
        {%- do problems.append('scope is ' ~ how.scope ~ ', which has no unique_key') -%}
    {%- elif scope and key[:scope.config.unique_key | length] != scope.config.unique_key -%}
        {%- do problems.append(
            'scope is ' ~ how.scope ~ ', whose unique_key must begin that of the mart'
        ) -%}
    {%- endif -%}
    {%- if how.day and how.day not in key -%}
        {%- do problems.append('day is ' ~ how.day ~ ', must be a column of unique_key') -%}
    {%- endif -%}
    {%- if how.keep_days and not (how.day and scope) -%}
        {%- do problems.append('keep_days needs day and scope') -%}
    {%- endif -%}
    {%- for stamp, named in stamps.items() -%}
        {%- for column in ([named] if named is string else named) if column not in columns -%}
            {%- do problems.append('stamps.' ~ stamp ~ ' is ' ~ column ~ ', must be a column') -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if problems -%}
        {%- do exceptions.raise_compiler_error(
            'published of ' ~ node.name ~ ': ' ~ problems | join('; ')
        ) -%}
    {%- endif -%}
{%- endmacro %}
