"""Lua scripts. Redis runs each one atomically."""

# KEYS: entry. Returns its bytes, and the ms until it expires.
READ = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}"

# KEYS: entry, lease. ARGV: token ('': no lease is required), bytes, ms, channel, message ('': publish none).
# Returns 0 if the lease is no longer held: the entry was changed or deleted meanwhile.
STORE = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1
"""

# KEYS: entries and their leases. ARGV: channel, then a message for each entry. Deletes the keys.
DELETE = """
redis.call('DEL', unpack(KEYS))
for number = 2, #ARGV do redis.call('PUBLISH', ARGV[1], ARGV[number]) end
return 1
"""

# KEYS: lease. ARGV: token. Deletes a lease that is still held.
RELEASE = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"

# KEYS: epoch, leases. ARGV: a new epoch, ms, then the token of each lease. Renews the leases that are still held.
# Returns the epoch. It is set if it is missing, so it differs after Redis was flushed.
HEARTBEAT = """
for number = 2, #KEYS do
  if redis.call('GET', KEYS[number]) == ARGV[number + 1] then redis.call('PEXPIRE', KEYS[number], ARGV[2]) end
end
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
"""

# one clock for all tags: the server's time, but strictly increasing
_CLOCK = """
local time = redis.call('TIME')
local clock = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), time[1] * 1000000 + time[2] - 1)
local function set(key, number)
  redis.call('SET', key, string.format('%.0f', number))
  return number
end
"""

# KEYS: clock, lease. ARGV: token, ms. Returns the clock's next number, or 0 if another process holds the lease.
LEASE = f"""{_CLOCK}
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[2]) == ARGV[1] then
  return set(KEYS[1], clock + 1)
end
return 0
"""

# KEYS: clock, tags. ARGV: channel, 1 to invalidate or 0, version of a new tag (0: the clock's next number), then the
# names of the tags. Returns the versions.
TAGS = f"""{_CLOCK}
local versions = {{}}
for number = 2, #KEYS do
  local version = tonumber(redis.call('GET', KEYS[number]) or '0')
  if ARGV[2] == '1' or (version == 0 and ARGV[3] == '0') then
    clock = set(KEYS[1], clock + 1)
    version = set(KEYS[number], clock)
  elseif version == 0 then
    version = set(KEYS[number], tonumber(ARGV[3]))
  end
  if ARGV[2] == '1' then
    redis.call('PUBLISH', ARGV[1], 't\\0' .. string.format('%.0f', version) .. '\\0' .. ARGV[number + 2])
  end
  versions[number - 1] = version
end
return versions
"""
