{% macro check_how_published(node, how, scope) -%}
    {#- refuses what a mart's `meta: {published: ...}` says, where it makes no sense -#}
    {%- set columns = node.columns.keys() | list -%}
    {%- set key = node.config.unique_key -%}
    {%- set stamps = how.get('stamps', {}) -%}
    {%- set problems = [] -%}
    {%- for name in how if name not in ['scope', 'day', 'keep_days', 'nightly_only', 'stamps'] -%}
        {%- do problems.append(name ~ ' is not known') -%}
    {%- endfor -%}
    {%- for name in stamps
        if name not in ['inserted', 'changed', 'written', 'unchanged_by'] -%}
        {%- do problems.append('stamps.' ~ name ~ ' is not known') -%}
    {%- endfor -%}
    {%- if how.scope and not scope -%}
        {%- do problems.append('scope is ' ~ how.scope ~ ', must be a model') -%}
    {%- elif scope and not scope.config.unique_key -%}
        {%- do problems.append('scope is ' ~ how.scope ~ ', which has no unique_key') -%}
    {%- elif scope and key[:scope.config.unique_key | length] != scope.config.unique_key -%}
        {%- do problems.append(
            'scope is ' ~ how.scope ~ ', whose key must be what unique_key begins with'
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
