{% test never_null(model, columns) %}
-- These columns have a value in every row.
select *
from {{ model }}
where num_nulls({{ columns | join(', ') }}) > 0
{% endtest %}
