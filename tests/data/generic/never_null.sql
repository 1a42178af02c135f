{% test never_null(model, columns) %}
-- These columns have a value in every row.
select *
from {{ ours(model) }}
where num_nulls({{ columns | join(', ') }}) > 0
{% endtest %}
