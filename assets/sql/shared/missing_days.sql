-- Days without a single download between the first and the last: no such day was ever real.
select unnest(generate_series(min(date), max(date), interval 1 day))::date as date from downloads
except
select date from downloads
order by date
