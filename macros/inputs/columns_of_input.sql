{% macro columns_of_input(name) -%}
    {#-
    The columns that an input is to give. One that is optional and lacks is NULL; one that is
    required and lacks ends the run, as does one that is not known, for it may be an optional
    one that is misspelt.
    -#}
    {%- set wanted = columns_wanted_of(name) -%}
    {%- set given = columns_given_by(name) -%}
    {%- if given -%}
        {%- set wrong = [] -%}
        {%- for column in wanted.values()
            if column.name not in given and not column.config.meta.optional
        -%}
            {%- do wrong.append(
                name ~ ' lacks ' ~ column.name ~ ' (' ~ column.data_type ~ '): '
                ~ column.description | trim | replace('\n', ' ')
            ) -%}
        {%- endfor -%}
        {%- for column in given if column not in wanted -%}
            {%- do wrong.append(
                name ~ ' has a column ' ~ column ~ ', but its columns are '
                ~ wanted | join(', ')
            ) -%}
        {%- endfor -%}
        {%- if wrong -%}
            {%- do exceptions.raise_compiler_error(wrong | join('; ')) -%}
        {%- endif -%}
    {%- endif -%}
    {%- for column in wanted.values() %}
        {%- if given and column.name not in given %}
            null::{{ column.data_type }} as {{ column.name }}
        {%- else %}
            {{ column.name }}
        {%- endif -%}
        {{ ',' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{% macro columns_given_by(name) -%}
    {#- the columns that an input has; none where nothing is looked up -#}
    {%- set input = input_as_built(name) -%}
    {%- if input is none -%} {{ return([]) }} {%- endif -%}
    {{ return(run_query(
        "select attname from pg_attribute where attrelid = to_regclass('" ~ input ~ "')"
        ~ " and attnum > 0 and not attisdropped order by attnum"
    ).columns[0].values() | list) }}
{%- endmacro %}


{% macro input_as_built(name) -%}
    {#-
    The relation of an input, to look at; none in a unit test, which has rows of its own, while
    the system of the model is switched off, before the input was built, and where the command
    `check` has it in a transaction of its own.
    -#}
    {%- set input = ref(name) -%}
    {%- if
        not execute
        or input.is_cte
        or not is_switched_on(model)
        or var('checks_inputs', false)
    -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(load_relation(input)) }}
{%- endmacro %}
