-- Claims a signature and charges limits: all of them, or none. Times are milliseconds since the epoch by the server's
-- clock, which never goes back here: where it is set back, it stands still.
--
-- KEYS: the state; the claim, if there is one; a record for each charge. ARGV: the state's name; what the signature is used
-- for ('r' to read, 's' to change something, 'c' to take risk away, or nothing), until when it is good and when it was
-- signed; then for each
-- charge its law, quota, window and rate (of 'f': how many windows ahead), its price, and how much more is wanted.
--
-- Returns 0, now, and for each charge what is used, left and until when, and how much more was given; or 1, now, which
-- charge does not fit and for how long, and the same three for each; 2: the signature was used; 3: it was signed before
-- signatures were remembered; 4: the state is another one.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'id', 'now', 'claims', 'floor')
if state[1] ~= ARGV[1] then
  return {4, now}
end
local last, floor = tonumber(state[2]), tonumber(state[4])
local function text(number)
  return string.format('%.0f', number)
end
if now > last then
  redis.call('HSET', KEYS[1], 'now', text(now))
else
  now = last
end

local first = 1
if ARGV[2] ~= '' then
  first = 2
  local deadline, spends = tonumber(ARGV[3]), ARGV[2] ~= 'r'
  local over, before = deadline < now, tonumber(ARGV[4]) < tonumber(state[3])
  if spends and (over or before and ARGV[2] ~= 'c') then
    return {3, now}
  end
  if not over then
    -- Kept until its own deadline refuses it, and a little longer.
    local kept, known = text(deadline + 1000), redis.call('GET', KEYS[2])
    if not known then
      redis.call('SET', KEYS[2], spends and 's' or 'r', 'PXAT', kept)
    else
      redis.call('PEXPIREAT', KEYS[2], kept, 'GT')
      if spends or known == 's' then
        return {2, now}
      end
    end
  end
end

local function pair(key)
  local record = redis.call('GET', key)
  if record then
    local one, two = string.match(record, '^(%d+) (%d+)$')
    return tonumber(one), tonumber(two)
  end
end

local function keep(key, one, two, until_ms)
  redis.call('SET', key, text(one) .. ' ' .. text(two), 'PXAT', text(until_ms + 1000))
end

-- Each law: `look` fills in what is used and until when, `wait` says for how long so much does not fit, `charge` uses it.
-- Of a record that is not there, what was used before `floor` is not known: it counts as used up.
local laws = {}

laws.f = {
  look = function(c)
    c.at = math.floor(now / c.window) + c.rate
    local at, used = pair(c.key)
    if not at and floor > c.at * c.window then
      used = c.quota
    elseif at ~= c.at then
      used = 0
    end
    c.used, c.reset = used, (c.at + 1) * c.window - now
  end,
  wait = function(c)
    return c.reset
  end,
  charge = function(c, units)
    keep(c.key, c.at, c.used + units, (c.at + 1) * c.window)
  end,
}

laws.a = {
  look = function(c)
    local at, used = pair(c.key)
    if not at and floor > 0 then
      at, used = floor, c.quota
    end
    if not at or now - at >= c.window or used == 0 then
      at, used = now, 0
    end
    c.at, c.used, c.reset = at, used, at + c.window - now
  end,
  wait = laws.f.wait,
  charge = function(c, units)
    keep(c.key, c.at, c.used + units, c.at + c.window)
  end,
}

laws.d = {
  look = function(c)
    c.full = c.quota * c.window
    local at, level = pair(c.key)
    if not at then
      at, level = floor, floor > 0 and c.full or 0
    end
    c.level = math.max(0, level - (now - at) * c.rate)
    c.used, c.reset = math.ceil(c.level / c.window), math.ceil(c.level / c.rate)
    c.left = math.floor((c.full - c.level) / c.window)
  end,
  wait = function(c)
    local needed = math.min(c.price * c.window, c.full)
    return math.ceil((c.level + needed - c.full) / c.rate)
  end,
  charge = function(c, units)
    c.level = c.level + units * c.window
    c.reset = math.ceil(c.level / c.rate)
    keep(c.key, now, c.level, now + math.ceil(c.level / c.rate))
  end,
}

laws.s = {
  look = function(c)
    -- A window is thirteen steps, and what is used in one comes back when fourteen are over: a little late, never early.
    c.step = math.ceil(c.window / 13)
    c.at = math.floor(now / c.step)
    c.steps, c.used, c.newest = {}, 0, nil
    local record = redis.call('HGETALL', c.key)
    if #record == 0 and floor > 0 then
      record = {math.floor(floor / c.step), c.quota}
    end
    for i = 1, #record, 2 do
      local at, used = tonumber(record[i]), tonumber(record[i + 1])
      if at > c.at - 14 then
        c.steps[#c.steps + 1] = {at, used}
        c.used = c.used + used
        c.newest = math.max(c.newest or at, at)
      elseif redis.call('EXISTS', c.key) == 1 then
        redis.call('HDEL', c.key, record[i])
      end
    end
    c.reset = c.newest and (c.newest + 14) * c.step - now or 0
  end,
  wait = function(c)
    table.sort(c.steps, function(a, b) return a[1] < b[1] end)
    local used, most = c.used, math.max(0, c.quota - c.price)
    for _, step in ipairs(c.steps) do
      used = used - step[2]
      if used <= most then
        return (step[1] + 14) * c.step - now
      end
    end
    return c.step
  end,
  charge = function(c, units)
    c.reset = (c.at + 14) * c.step - now
    redis.call('HINCRBY', c.key, text(c.at), text(units))
    redis.call('PEXPIREAT', c.key, text((c.at + 14) * c.step + 1000))
  end,
}

-- 1. Look at every limit; 2. only if all allow it, charge every limit.
local charges, over = {}, nil
for i = 1, #KEYS - first do
  local at = 4 + (i - 1) * 6
  local c = {
    key = KEYS[first + i], law = laws[ARGV[at + 1]], quota = tonumber(ARGV[at + 2]),
    window = tonumber(ARGV[at + 3]), rate = tonumber(ARGV[at + 4]),
    price = tonumber(ARGV[at + 5]), want = tonumber(ARGV[at + 6]),
  }
  charges[i] = c
  c.law.look(c)
  c.left = c.left or math.max(0, c.quota - c.used)
  if c.price > c.left then
    local wait = math.max(1, c.law.wait(c))
    if not over or wait > over[2] then
      over = {i, wait}
    end
  end
end
local answer = over and {1, now, over[1], over[2]} or {0, now}
for _, c in ipairs(charges) do
  local more = 0
  if not over then
    -- Never more than a quarter of what is left, so that others find some, too.
    more = math.min(c.want, math.ceil((c.left - c.price) / 4))
    local units = c.price + more
    if units > 0 then
      c.law.charge(c, units)
    end
    c.used, c.left = c.used + units, c.left - units
  end
  answer[#answer + 1] = c.used
  answer[#answer + 1] = c.left
  answer[#answer + 1] = math.max(1, c.reset)
  if not over then
    answer[#answer + 1] = more
  end
end
return answer
