-- Begins a link. Returns by which name the server's memory goes, what it counts as now, since when it remembers
-- signatures, and before when what was used is not known; all times in milliseconds since the epoch.
--
-- KEYS: the state. ARGV: the name that was known, or nothing; a new name; the process that the server is; what tells a
-- cluster's key; for how long after it began to remember a message may still be signed before.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'id', 'check', 'run', 'now', 'born', 'claims', 'floor')
local id, claims, floor = state[1], tonumber(state[6]), tonumber(state[7])
if not id then
  -- What was here before is gone, if anything was: whoever knew of it knows that everything may be used up.
  id, claims, floor = ARGV[2], now + ARGV[5], ARGV[1] ~= '' and now or 0
  redis.call('HSET', KEYS[1], 'id', id, 'check', ARGV[4], 'run', ARGV[3],
    'now', string.format('%.0f', now), 'born', string.format('%.0f', now),
    'claims', string.format('%.0f', claims), 'floor', string.format('%.0f', floor))
  return {id, now, claims, floor}
end
if state[2] ~= ARGV[4] then
  return redis.error_reply('RINGFENCE the names there are hashed with another key')
end
now = math.max(now, tonumber(state[4]))
if ARGV[1] ~= '' and ARGV[1] ~= id and floor < tonumber(state[5]) then
  floor = tonumber(state[5])
  redis.call('HSET', KEYS[1], 'floor', string.format('%.0f', floor))
end
if state[3] ~= ARGV[3] then
  -- Another process: what it was told last, the one before may have taken along.
  claims = now + ARGV[5]
  redis.call('HSET', KEYS[1], 'run', ARGV[3], 'claims', string.format('%.0f', claims))
end
return {id, now, claims, floor}
