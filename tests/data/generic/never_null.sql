{% test never_null(model, columns) %}
-- These columns are never NULL.
select *
from {{ ours(model) }}
where num_nulls({{ columns | join(', ') }}) > 0
{% endtest %}
