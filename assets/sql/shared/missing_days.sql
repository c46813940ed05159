-- Days without any download between the first and the last: a gap in the data, since no real day is without downloads.
select unnest(generate_series(min(date), max(date), interval 1 day))::date as date from downloads
except
select date from downloads
order by date
