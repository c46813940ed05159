-- One row per owner of a crate: a user or a team.
with typed as (
    select
        try_cast(crate_id as bigint) as of_crate_id,
        case owner_kind when '0' then 'user' when '1' then 'team' end as kind,
        try_cast(owner_id as bigint) as id,
        pg_timestamp(created_at) as since,
        *
    from source_crate_owners
),

-- one login per id, so the join duplicates no row
users as (
    select id, min(gh_login) as gh_login from source_users group by id
),

teams as (
    select id, min(login) as login from source_teams group by id
),

checked as (
    select
        o.of_crate_id as crate_id,
        o.kind,
        o.id as owner_id,
        case o.kind when 'user' then u.gh_login when 'team' then t.login end as login,
        o.since as created_at,
        case
            when o.of_crate_id is null or o.of_crate_id not in (select id from crates)
                then 'crate_id: ' || coalesce(o.crate_id, 'null') || ' is not a crate of the dump'
            when o.kind is null then 'owner_kind: "' || coalesce(o.owner_kind, 'null') || '" is neither 0 (user) nor 1 (team)'
            when o.id is null then 'owner_id: "' || coalesce(o.owner_id, 'null') || '" is not a number'
            when o.since is null then 'created_at: "' || coalesce(o.created_at, 'null') || '" is not a time'
            when o.since > getvariable('snapshot_at')
                then 'created_at: ' || o.since || ' is after the snapshot (' || getvariable('snapshot_at') || ')'
        end as rejected,
        concat_ws(' ', o.crate_id, o.owner_kind, o.owner_id) as raw_key
    from typed as o
    left join users as u on u.id = o.owner_id and o.kind = 'user'
    left join teams as t on t.id = o.owner_id and o.kind = 'team'
)

select * exclude (raw_key), raw_key as source_key
from checked
order by crate_id, kind, owner_id, created_at, raw_key
