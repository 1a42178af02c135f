-- Messages to people by state.
select
    state,
    count(*) as messages_count
from operations.message_states
group by state
