-- Remembers signatures that a gateway took while it did not reach the server.
--
-- KEYS: the state; the claims. ARGV: the state's name; for how long what is signed from now on may have been used, or 0;
-- then of each claim what it is used for, and until when it is good.
local time = redis.call('TIME')
local state = redis.call('HMGET', KEYS[1], 'id', 'now', 'claims')
if state[1] ~= ARGV[1] then
  return {4}
end
local now = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(state[2]))
if ARGV[2] ~= '0' then
  local claims = math.max(tonumber(state[3]), now + ARGV[2])
  redis.call('HSET', KEYS[1], 'claims', string.format('%.0f', claims))
end
for i = 2, #KEYS do
  local purpose, deadline = ARGV[2 * i - 1], tonumber(ARGV[2 * i])
  local known = redis.call('GET', KEYS[i])
  if deadline >= now and known ~= 's' then
    redis.call('SET', KEYS[i], purpose, 'PXAT', string.format('%.0f', deadline + 1000))
  end
end
return {0}
