{% macro check_systems() %}
    {#-
    Refuses a registry that does not match the models: each system needs a publication,
    a mart of its tenants and one of its quarantined rows, and each folder of models
    must be a system, or shared.
    -#}
    {%- if execute -%}
    {%- set problems = [] -%}
    {%- if 'systems' in invocation_args_dict.get('vars', {}) -%}
        {%- do problems.append('it cannot be overridden: leave it as in dbt_project.yml') -%}
    {%- endif -%}
    {%- for name, entry in var('systems').items() -%}
        {%- if entry is not mapping
            or entry | sort | list != ['is_hourly', 'tenant', 'tenants']
            or entry.is_hourly is not boolean
        -%}
            {%- do problems.append(
                name ~ ' must have is_hourly (true or false), tenant and tenants (words)'
            ) -%}
        {%- else -%}
            {%- set key = 'model.customer_health.' -%}
            {%- set mart = graph.nodes.get(key ~ entry.tenants) -%}
            {%- set wanted = [entry.tenant ~ '_id', entry.tenant ~ '_slug', 'as_of'] -%}
            {%- for model in [name ~ '_publications', name ~ '_quarantined_rows']
                if key ~ model not in graph.nodes -%}
                {%- do problems.append(name ~ ' has no model ' ~ model) -%}
            {%- endfor -%}
            {%- if mart is none or mart.fqn[1] != name
                or wanted | reject('in', mart.columns) | list
            -%}
                {%- do problems.append(
                    name ~ ' has no mart ' ~ entry.tenants ~ ' with '
                    ~ wanted | join(', ')
                ) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'model' and node.package_name == 'customer_health'
        and node.fqn[1] != 'shared'
    -%}
        {%- set problem = 'it has no ' ~ node.fqn[1] ~ ', which is a folder of models' -%}
        {%- if node.fqn[1] not in var('systems') and problem not in problems -%}
            {%- do problems.append(problem) -%}
        {%- elif node.fqn[1] in var('systems') and node.fqn[1] not in node.tags -%}
            {%- do problems.append(
                node.name ~ ' lacks the tag ' ~ node.fqn[1] ~ ' of its folder'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if problems -%}
        {%- do exceptions.raise_compiler_error(
            'setting systems of dbt_project.yml: ' ~ problems | join('; ')
        ) -%}
    {%- endif -%}
    {%- endif -%}
{% endmacro %}
