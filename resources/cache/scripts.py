"""What Redis does in one step, in Lua: each either happens whole or not at all."""

# KEYS: entry. Its bytes, and for how many ms it is still there.
READ = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}"

# KEYS: entry, lease, stream. ARGV: token ('' stores in any case), bytes, ms, length of the stream, message.
# 0 if the lease is no longer held: the entry was changed or dropped meanwhile.
STORE = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'm', ARGV[5])
return 1
"""

# KEYS: stream, then entries and their leases in turn. ARGV: length of the stream, then a message for each entry.
DROP = """
redis.call('DEL', unpack(KEYS, 2))
for number = 2, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'm', ARGV[number]) end
return 1
"""

# KEYS: lease, clock. ARGV: token, ms. Whether the lease is ours now, and the clock of tags.
LEASE = """
local taken = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1]
return {taken and 1 or 0, tonumber(redis.call('GET', KEYS[2]) or '0')}
"""

# KEYS: lease. ARGV: token. Gives a lease back, if it is still ours.
RELEASE = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"

# KEYS: birth, beat, leases. ARGV: ms, then the token of each lease. Keeps the leases that are still ours. Which life of
# Redis this is; an error where nothing can be written: nobody can tell of a change then, so hearing of none is no sign.
BEAT = """
for number = 3, #KEYS do
  if redis.call('GET', KEYS[number]) == ARGV[number - 1] then redis.call('PEXPIRE', KEYS[number], ARGV[1]) end
end
redis.call('SET', KEYS[2], 1)
return redis.call('GET', KEYS[1])
"""

# one clock for all tags: the server's, but never standing still and never going back
_TICK = """
local function tick(least)
  local time = redis.call('TIME')
  local now = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, time[1] * 1000000 + time[2], least)
  redis.call('SET', KEYS[1], string.format('%.0f', now))
  return now
end
"""

# KEYS: clock, tags. The clock, then for each tag its version and whether it had none before.
TAGS = f"""{_TICK}
local found = {{}}
for number = 2, #KEYS do
  local version = redis.call('GET', KEYS[number])
  local new = version and 0 or 1
  if not version then
    version = tick(0)
    redis.call('SET', KEYS[number], string.format('%.0f', version))
  end
  table.insert(found, tonumber(version))
  table.insert(found, new)
end
table.insert(found, 1, tonumber(redis.call('GET', KEYS[1]) or tick(0)))
return found
"""

# KEYS: clock, stream, tags. ARGV: length of the stream, then for each tag the least version and its message up to the
# version. The new versions.
BUMP = f"""{_TICK}
local found = {{}}
for number = 3, #KEYS do
  local version = tick(tonumber(ARGV[2 * number - 4]))
  local text = string.format('%.0f', version)
  redis.call('SET', KEYS[number], text)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', 'm', ARGV[2 * number - 3] .. text)
  table.insert(found, version)
end
return found
"""

# KEYS: birth, stream. ARGV: a name for a new life. Which life of Redis this is, and the place of the first change that
# is still known and of the last; a new life begins with an empty one, so that who was there from the start has a place.
JOIN = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX') then redis.call('XADD', KEYS[2], '*', 'm', '') end
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
return {redis.call('GET', KEYS[1]), first[1] and first[1][1] or '0-0', last[1] and last[1][1] or '0-0'}
"""
