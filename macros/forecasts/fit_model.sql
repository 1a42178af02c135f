{% macro fit_model(
    tenant, tenant_id_type, tenants, days, day, day_number, backtest_periods, parameters,
    periods, model, least, words
) -%}
{#-
Finds the parameters with the highest likelihood for the days of a tenant's customers,
and writes them to the model's parameters, or the reason why there are none. dbt only
compiles it; the commands fit-orders and fit-visits run it.

A pattern search in the logarithms of the parameters: from a few starting points it
tries the neighbors, moves to a higher likelihood, and halves the step if there is none.
For tenants without parameters of that age it first fits the rows up to the middle cut,
so that later rows show how good the fit is. Then it fits all rows.
-#}
{%- if execute %} {%- do check_settings() %} {%- endif %}
{%- set tenant_id = tenant ~ '_id' %}
do $fit$
declare
    stage text;
begin
    create temporary table fits (
        tenant_id {{ tenant_id_type }} primary key,
        fitted_on date,
        customers_count bigint,
        refused_because text
    ) on commit drop;
    create temporary table histories (
        tenant_id {{ tenant_id_type }},
        repeats_count bigint,
        recency_days integer,
        age_days integer,
        customers_count bigint
    ) on commit drop;
    create temporary table searches (
        search bigint generated always as identity primary key,
        tenant_id {{ tenant_id_type }},
        at double precision[],
        -- the last move, which is tried again
        moved double precision[] default '{0, 0, 0, 0}',
        step double precision default 1,
        log_likelihood double precision,
        -- whether it starts at the parameters in force, and their likelihood
        is_in_force boolean,
        first_log_likelihood double precision
    ) on commit drop;
    create temporary table points (
        point bigint generated always as identity primary key,
        search bigint,
        tenant_id {{ tenant_id_type }},
        at double precision[],
        r double precision,
        alpha_days double precision,
        a double precision,
        b double precision,
        first_drop integer,
        log_likelihood double precision
    ) on commit drop;

    foreach stage in array array['MIDDLE_CUT', 'TODAY'] loop
        truncate fits, histories, searches, points;

        -- the first stage may add parameters
        drop table if exists pg_temp.in_force;
        create temporary table in_force on commit drop as
        select
            {{ tenant_id }} as tenant_id,
            valid_from,
            valid_to,
            r,
            alpha_days,
            a,
            b
        from {{ periods }};

        insert into fits (tenant_id, fitted_on)
        select
            tenants.tenant_id,
            case when stage = 'TODAY' then tenants.fitted_on else backtest.middle_cut_on end
        from (
            select
                {{ tenant_id }} as tenant_id,
                {% if var('as_of') -%}
                least(today, {{ local_date(as_of(), 'time_zone') }})
                {%- else -%}
                today
                {%- endif %} as fitted_on
            from {{ tenants }}
            {% if var('fit_tenant') -%}
            where {{ tenant }}_slug = '{{ var("fit_tenant") | replace("'", "''") }}'
            {%- endif %}
        ) as tenants
        left join {{ backtest_periods }} as backtest
            on tenants.tenant_id = backtest.{{ tenant_id }}
        where
            stage = 'TODAY'
            or (
                backtest.middle_cut_on < tenants.fitted_on
                and not exists (
                    select from {{ parameters }} as parameters
                    where
                        parameters.{{ tenant_id }} = tenants.tenant_id
                        and parameters.valid_from <= backtest.middle_cut_on
                        -- a refusal is no reason not to try again
                        and parameters.r is not null
                )
            );

        -- identical histories are grouped and counted
        insert into histories
        select
            fits.tenant_id,
            days.{{ day_number }} - 1,
            days.{{ day }} - days.first_{{ day }},
            fits.fitted_on - days.first_{{ day }},
            count(*)
        from fits
        inner join {{ days }} as days
            on
                fits.tenant_id = days.{{ tenant_id }}
                and fits.fitted_on >= days.{{ day }}
                and (
                    fits.fitted_on < days.next_{{ day }}
                    or days.next_{{ day }} is null
                )
        group by 1, 2, 3, 4;
        analyze histories;

        update fits set
            customers_count = coalesce(carried.customers_count, 0),
            refused_because = case
                when coalesce(carried.customers_count, 0) < {{ least.customers }}
                    then format(
                        '%s customers have {{ words.done }}, {{ least.customers }} are needed',
                        coalesce(carried.customers_count, 0)
                    )
                when carried.repeaters_count < {{ least.repeaters }}
                    then format(
                        '%s customers have {{ words.done }} on a second day,'
                        ' {{ least.repeaters }} are needed',
                        carried.repeaters_count
                    )
                when carried.history_days < {{ least.days }}
                    then format(
                        'the {{ words.things }} reach back %s days, {{ least.days }} are needed',
                        carried.history_days
                    )
            end
        from fits as every_fit
        left join (
            select
                tenant_id,
                sum(customers_count) as customers_count,
                coalesce(sum(customers_count) filter (where repeats_count > 0), 0)
                    as repeaters_count,
                max(age_days) as history_days
            from histories
            group by tenant_id
        ) as carried
            on every_fit.tenant_id = carried.tenant_id
        where fits.tenant_id = every_fit.tenant_id;

        insert into searches (tenant_id, at, is_in_force)
        select
            fits.tenant_id,
            start.at,
            false
        from fits
        inner join (
            select
                tenant_id,
                -- how long a customer has been there, as a scale of the time between days
                ln(greatest(1, sum(customers_count * age_days) / sum(customers_count) / 6))
                    as scale
            from histories
            group by tenant_id
        ) as scales
            on fits.tenant_id = scales.tenant_id
        cross join
            lateral (
                values
                (array[-1, scales.scale, 0, 1]),
                (array[0, scales.scale + 1, -1, 1]),
                (array[0.5, scales.scale - 1, -3, 2])
            ) as start (at)
        where fits.refused_because is null

        union all

        select
            fits.tenant_id,
            array[ln(in_force.r), ln(in_force.alpha_days), ln(in_force.a), ln(in_force.b)],
            true
        from fits
        inner join in_force
            on
                fits.tenant_id = in_force.tenant_id
                and fits.fitted_on >= in_force.valid_from
                and (fits.fitted_on < in_force.valid_to or in_force.valid_to is null)
        where fits.refused_because is null;

        for round in 0..2000 loop
            truncate points;
            insert into points (search, tenant_id, at, r, alpha_days, a, b, first_drop)
            select
                searches.search,
                searches.tenant_id,
                around.at,
                exp(around.at[1]),
                exp(around.at[2]),
                exp(around.at[3]),
                exp(around.at[4]),
                {{ 1 if model == 'MBG' else 0 }}
            from searches
            cross join
                lateral (
                    select array_agg(
                        least(12, greatest(-9, searches.at[axis] + stride * move[axis]))
                        order by axis
                    ) as at
                    from (
                        values
                        (1, 0, array[0, 0, 0, 0]),
                        (2, searches.step, array[1, 0, 0, 0]),
                        (3, -searches.step, array[1, 0, 0, 0]),
                        (4, searches.step, array[0, 1, 0, 0]),
                        (5, -searches.step, array[0, 1, 0, 0]),
                        (6, searches.step, array[0, 0, 1, 0]),
                        (7, -searches.step, array[0, 0, 1, 0]),
                        (8, searches.step, array[0, 0, 0, 1]),
                        (9, -searches.step, array[0, 0, 0, 1]),
                        -- rates stay alike where both grow
                        (10, searches.step, array[1, 1, 0, 0]),
                        (11, -searches.step, array[1, 1, 0, 0]),
                        (12, searches.step, array[0, 0, 1, 1]),
                        (13, -searches.step, array[0, 0, 1, 1]),
                        -- as the last time, and further
                        (14, 2, searches.moved)
                    ) as moves (number, stride, move)
                    cross join generate_series(1, 4) as axes (axis)
                    where
                        searches.step >= 0.0005
                        -- from then on only the tenant's best search continues
                        and (
                            searches.step > 0.1
                            or searches.search = (
                                select rival.search from searches as rival
                                where rival.tenant_id = searches.tenant_id
                                order by rival.log_likelihood desc, rival.search
                                limit 1
                            )
                        )
                        and case
                            -- the first round evaluates only the start
                            when round = 0 then number = 1
                            when number = 14 then move != '{0, 0, 0, 0}'::double precision[]
                            else number > 1
                        end
                    group by number
                ) as around;
            exit when not found;

            with repeats as (
                select
                    points.point,
                    repeat.number + 1 as repeats_count,
                    sum(
                        ln(points.r + repeat.number)
                        + ln(
                            (points.b + points.first_drop + repeat.number)
                            / (points.a + points.b + points.first_drop + repeat.number)
                        )
                    ) over (partition by points.point order by repeat.number)
                        as log_likelihood
                from points
                inner join (
                    select
                        tenant_id,
                        max(repeats_count) as most_repeats
                    from histories
                    group by tenant_id
                ) as most
                    on points.tenant_id = most.tenant_id
                cross join
                    lateral generate_series(0, most.most_repeats - 1) as repeat (number)

                union all

                select point, 0, 0 from points
            ),

            judged as (
                select
                    points.point,
                    history.customers_count,
                    repeats.log_likelihood
                    + points.first_drop * ln(points.b / (points.a + points.b))
                    + points.r * ln(points.alpha_days)
                    - (points.r + history.repeats_count)
                    * ln(points.alpha_days + history.age_days) as log_likelihood,
                    case
                        when history.repeats_count + points.first_drop > 0
                            then {{ dropped_log_odds('history', 'points') }}
                    end as dropped_log_odds
                from points
                inner join histories as history
                    on points.tenant_id = history.tenant_id
                inner join repeats
                    on
                        points.point = repeats.point
                        and history.repeats_count = repeats.repeats_count
                -- the odds are computed once
                {{ fence() }}
            ),

            likelihoods as (
                select
                    point,
                    sum(
                        customers_count * (
                            log_likelihood
                            + coalesce({{ ln_of_one_and_exp('dropped_log_odds') }}, 0)
                        )
                    ) as log_likelihood
                from judged
                group by point
            )

            update points set log_likelihood = likelihoods.log_likelihood
            from likelihoods
            where points.point = likelihoods.point;

            update searches set
                at = case when is_better then best.at else searches.at end,
                moved = case
                    when is_better
                        then array[
                            best.at[1] - searches.at[1], best.at[2] - searches.at[2],
                            best.at[3] - searches.at[3], best.at[4] - searches.at[4]
                        ]
                    else array[0, 0, 0, 0]
                end,
                step = case when is_better then searches.step else searches.step / 2 end,
                log_likelihood = case
                    when is_better then best.log_likelihood else searches.log_likelihood
                end,
                first_log_likelihood
                = coalesce(searches.first_log_likelihood, best.log_likelihood)
            from (
                select distinct on (points.search)
                    points.search,
                    points.at,
                    points.log_likelihood,
                    -- a smaller gain does not count: if nobody drops out, almost any a
                    -- and b fit
                    points.log_likelihood > coalesce(
                        before.log_likelihood + 0.00001, '-infinity'
                    ) as is_better
                from points
                inner join searches as before
                    on points.search = before.search
                order by points.search, points.log_likelihood desc
            ) as best
            where searches.search = best.search;
        end loop;

        update fits set refused_because = format(
            'the parameters in force since %s fit as well', {{ iso_date('in_force.valid_from') }}
        )
        from in_force
        where
            fits.refused_because is null
            and fits.tenant_id = in_force.tenant_id
            and fits.fitted_on >= in_force.valid_from
            and (fits.fitted_on < in_force.valid_to or in_force.valid_to is null)
            and not exists (
                select from searches
                inner join searches as start
                    on searches.tenant_id = start.tenant_id
                where
                    searches.tenant_id = fits.tenant_id
                    and start.is_in_force
                    and searches.log_likelihood > start.first_log_likelihood
            );

        -- a refusal does not replace parameters
        insert into {{ parameters }} as parameters (
            {{ tenant_id }}, valid_from, model, r, alpha_days, a, b, fitted_on,
            customers, log_likelihood, state, reason
        )
        select
            fits.tenant_id,
            fits.fitted_on,
            '{{ model }}',
            exp(best.at[1]),
            exp(best.at[2]),
            exp(best.at[3]),
            exp(best.at[4]),
            fits.fitted_on,
            fits.customers_count,
            best.log_likelihood,
            case when fits.refused_because is null then 'FITTED' else 'REFUSED' end,
            fits.refused_because
        from fits
        left join lateral (
            select
                searches.at,
                searches.log_likelihood
            from searches
            where
                searches.tenant_id = fits.tenant_id
                and fits.refused_because is null
            order by searches.log_likelihood desc, searches.search
            limit 1
        ) as best on true
        on conflict ({{ tenant_id }}, valid_from) do update set
            model = excluded.model,
            r = excluded.r,
            alpha_days = excluded.alpha_days,
            a = excluded.a,
            b = excluded.b,
            fitted_on = excluded.fitted_on,
            customers = excluded.customers,
            log_likelihood = excluded.log_likelihood,
            state = excluded.state,
            reason = excluded.reason
        where excluded.r is not null or parameters.r is null;
    end loop;
end
$fit$
{%- endmacro %}
