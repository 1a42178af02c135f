{% macro check_settings() %}
    {#- refuses invalid vars before anything is built -#}
    {%- set problems = [] -%}
    {%- set whole_numbers = {
        'due_soon_days': 0,
        'urgent_after_days': 1,
        'critical_after_days': 1,
        'unreliable_no_shows': 1,
        'rfm_min_visitors': 2,
        'visit_model_min_customers': 1,
        'visit_model_min_repeaters': 1,
        'visit_model_min_days': 1,
        'source_stale_after_hours': 1,
        'guard_changed_pct': 1,
        'guard_newly_dormant_pct': 1,
        'guard_min_customers': 0,
        'feed_silent_days': 1,
        'feed_missed_customers': 1,
        'high_value_pct': 1,
        'shown_orders': 1,
        'backfill_days': 0,
        'account_recent_days': 1,
        'account_outcome_days': 1,
        'account_usage_days': 1,
        'account_trend_days': 1,
        'account_trend_shown_days': 1,
        'account_factor_days': 1,
        'account_onboarding_days': 0,
        'account_at_risk_churn': 1,
        'account_at_risk_health': 1,
        'engagement_gap_days': 1,
        'onboarding_gap_days': 1,
        'churn_decline_most': 0,
        'churn_gap_days': 0,
        'churn_gap_points': 0,
        'churn_long_gap_days': 1,
        'churn_long_gap_points': 0,
        'churn_escalated_points': 0,
        'churn_escalated_most': 0,
        'churn_renewal_days': 1,
        'churn_renewal_points': 0,
        'churn_near_renewal_days': 1,
        'churn_near_renewal_points': 0,
        'churn_overdue_points': 0,
        'churn_overdue_most': 0,
        'churn_competitor_points': 0,
        'goal_near_days': 0,
        'benchmark_min_peers': 2,
        'alert_churn_over': 0,
        'alert_churn_rise': 1,
        'alert_churn_rise_days': 1,
        'message_news_days': 1,
        'weekly_message_hour': 1,
        'operations_keep_days': 1,
        'hourly_runs_keep_days': 1,
        'tenant_window_days': 1,
        'tenant_trend_points': 0,
        'tenant_high_below': 0,
        'tenant_declining_high_below': 0,
        'tenant_medium_below': 0,
        'metric_days_back': 1,
        'gone_after_days': 7,
        'backtest_min_customers': 1,
        'order_model_min_customers': 2,
        'order_model_min_repeaters': 1,
        'order_model_min_days': 1,
        'usual_order_days': 0,
        'what_if_most_days': 1,
        'suggestion_min_cuts': 2,
        'suggestion_min_positions': 1,
        'suggestion_min_outcomes': 1,
    } -%}
    {%- set rates = [
        'unreliable_no_show_rate', 'watch_no_show_rate', 'watch_cancellation_rate',
        'account_low_coverage', 'churn_points_per_health_point', 'goal_behind_rate',
        'goal_near_rate', 'outlook_likely_from', 'outlook_unlikely_below',
        'disagreement_dormant_from', 'disagreement_late_from',
        'disagreement_on_time_below', 'suggestion_min_gain', 'suggestion_slack'
    ] -%}
    {%- for name, least in whole_numbers.items() -%}
        {%- set value = var(name) -%}
        {%- if value is not integer or value is boolean or value < least -%}
            {%- do problems.append([name, 'a whole number from ' ~ least]) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in rates -%}
        {%- set value = var(name) -%}
        {%- if value is not number or value is boolean or value <= 0 or value > 1 -%}
            {%- do problems.append([name, 'a rate over 0, up to 1']) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set cv = var('irregular_visits_cv') -%}
    {%- if cv is not number or cv is boolean or cv <= 0 -%}
        {%- do problems.append(['irregular_visits_cv', 'a number over 0']) -%}
    {%- endif -%}
    {%- if var('visit_model') not in ['MBG', 'BG'] -%}
        {%- do problems.append(['visit_model', 'MBG or BG']) -%}
    {%- endif -%}
    {#- with an offset, so that every session reads them alike -#}
    {%- set instant = '\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])'
        ~ '( \\d{2}:\\d{2}(:\\d{2})?(Z|[+-]\\d{2}(:?\\d{2})?))?' -%}
    {%- for name in ['earliest_timestamp', 'latest_timestamp']
        if not modules.re.fullmatch(instant, var(name) | string) -%}
        {%- do problems.append([name, 'an instant such as "1970-01-01 00:00:00+00"']) -%}
    {%- endfor -%}
    {%- set switches = [
        'usage_support_tickets_enabled', 'citus', 'subscribers_have_our_tables'
    ] -%}
    {%- for system in var('systems') -%}
        {%- do switches.append(system ~ '_enabled') -%}
    {%- endfor -%}
    {%- for name in switches -%}
        {%- if var(name, true) is not boolean -%}
            {%- do problems.append([name, 'true or false']) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set prefix = our_schema('') -%}
    {%- if prefix and not modules.re.fullmatch('(?!pg_)[a-z_][a-z0-9_]{0,15}', prefix) -%}
        {%- do problems.append(
            ['schema_prefix', 'up to 16 characters of a-z, 0-9 and _, not beginning with a'
                ~ ' digit or pg_']
        ) -%}
    {%- endif -%}
    {%- if var('refresh_scope') not in ['all', 'changed'] -%}
        {%- do problems.append(['refresh_scope', 'all or changed']) -%}
    {%- endif -%}
    {%- set rate = var('hold_out_rate') -%}
    {%- if rate is not number or rate is boolean or rate < 0 or rate > 0.5 -%}
        {%- do problems.append(['hold_out_rate', 'a rate from 0 to 0.5']) -%}
    {%- endif -%}
    {%- set from_day = var('hold_out_from') | string -%}
    {%- if (rate or var('hold_out_from') is not none)
        and not modules.re.fullmatch('\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])', from_day)
    -%}
        {%- do problems.append(
            ['hold_out_from', 'a day such as "2026-07-01" if there is a hold_out_rate']
        ) -%}
    {%- endif -%}
    {%- set hour = var('weekly_message_hour') -%}
    {%- if hour is integer and hour > 23 -%}
        {%- do problems.append(['weekly_message_hour', 'at most 23']) -%}
    {%- endif -%}
    {%- if var('order_model') not in ['MBG', 'BG'] -%}
        {%- do problems.append(['order_model', 'MBG or BG']) -%}
    {%- endif -%}
    {%- for name in [
        'protected_account_types', 'closed_ticket_statuses', 'competitor_terms'
    ] -%}
        {%- set value = var(name) -%}
        {#- an empty word would be found everywhere -#}
        {%- if value is not sequence or value is string or value is mapping
            or '' in value | map('string') | map('trim') | list -%}
            {%- do problems.append([name, 'a list of words']) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not problems -%}
        {%- if var('latest_timestamp') | string <= var('earliest_timestamp') | string -%}
            {%- do problems.append(['latest_timestamp', 'after earliest_timestamp']) -%}
        {%- endif -%}
        {%- for less, more in [
            ('churn_gap_days', 'churn_long_gap_days'),
            ('churn_near_renewal_days', 'churn_renewal_days'),
            ('message_news_days', 'operations_keep_days')
        ] -%}
            {%- if var(more) <= var(less) -%}
                {%- do problems.append([more, 'over ' ~ less]) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if var('critical_after_days') <= var('urgent_after_days') -%}
            {%- do problems.append(['critical_after_days', 'over urgent_after_days']) -%}
        {%- endif -%}
        {%- if var('tenant_high_below') > var('tenant_declining_high_below') -%}
            {%- do problems.append(
                ['tenant_high_below', 'at most tenant_declining_high_below']
            ) -%}
        {%- endif -%}
        {%- if var('tenant_declining_high_below') > var('tenant_medium_below') -%}
            {%- do problems.append(
                ['tenant_declining_high_below', 'at most tenant_medium_below']
            ) -%}
        {%- endif -%}
        {%- if var('outlook_unlikely_below') > var('outlook_likely_from') -%}
            {%- do problems.append(
                ['outlook_unlikely_below', 'at most outlook_likely_from']
            ) -%}
        {%- endif -%}
        {%- if var('watch_no_show_rate') > var('unreliable_no_show_rate') -%}
            {%- do problems.append(
                ['watch_no_show_rate', 'at most unreliable_no_show_rate']
            ) -%}
        {%- endif -%}
    {%- endif -%}

    {#- dbt quotes names without escaping them -#}
    {%- for source in (graph.sources.values() if execute else []) -%}
        {%- set table = source.source_name ~ '_' ~ source.name ~ '_table' -%}
        {%- for name, value in [
            (source.source_name ~ '_schema', source.schema), (table, source.identifier)
        ] if '"' in value -%}
            {%- do problems.append([name, 'a name without double quotes']) -%}
        {%- endfor -%}
    {%- endfor -%}

    {%- set lines = [] -%}
    {%- for source in (graph.sources.values() if execute else []) -%}
        {%- set hook = source.config.meta.get('hook') -%}
        {%- if hook and (hook is not mapping or hook.order is not string) -%}
            {%- do lines.append(
                'setting hook of source ' ~ source.source_name ~ '.' ~ source.name ~ ' is '
                ~ hook ~ ', must be {order: the column of its key}, or left out'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name, allowed in problems -%}
        {%- set line = "setting " ~ name ~ " is " ~ var(name) ~ ", must be " ~ allowed -%}
        {%- do lines.append(line) -%}
    {%- endfor -%}
    {%- if lines -%}
        {%- do exceptions.raise_compiler_error(lines | unique | join('; ')) -%}
    {%- endif -%}
{% endmacro %}
