-- The metrics of each test as columns, and macros that format them. Needs: `rows_of_tests` (rows of `backtests` or
-- `walk_forward`) and `methods` (method, kind).
create or replace temp table tested as
select
    target,
    horizon_days,
    test_as_of,
    test_as_of = max(test_as_of) over (partition by target) as is_newest,
    slice,
    method,
    kind,
    any_value(covers) as covers,
    crates,
    positives,
    model_id,
    map_from_entries(list({'metric': metric, 'figure': {'value': value, 'low': low, 'high': high}})) as figures
from rows_of_tests
join methods using (method)
group by target, horizon_days, test_as_of, slice, method, kind, crates, positives, model_id;

create or replace temp macro three(number) as printf('%.3f', round(number, 3) + 0);
create or replace temp macro four(number) as printf('%.4f', round(number, 4) + 0);
create or replace temp macro percent(number) as printf('%.1f%%', 100 * number);

-- A metric with its interval.
create or replace temp macro ranged(figure) as
    three(figure.value) || if(figure.low is null, '', ' [' || three(figure.low) || ', ' || three(figure.high) || ']');
create or replace temp macro finely_ranged(figure) as
    four(figure.value) || if(figure.low is null, '', ' [' || four(figure.low) || ', ' || four(figure.high) || ']');

-- The claim that the interval of our model's gain allows.
create or replace temp macro claim(gain) as
    case when gain.low > 0 then 'ahead' when gain.high < 0 then 'behind' else 'not clearly ahead' end;

-- The best other method of each test and slice.
create or replace temp table best_others as
select * exclude figures, figures as other
from tested
where method not in ('model', 'champion')
qualify row_number() over (
    partition by target, test_as_of, slice order by figures['average_precision'].value desc, method
) = 1;
