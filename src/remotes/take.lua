-- Takes one from each bucket, or none when one of them is empty. A bucket is the time at which it is full again, in
-- microseconds of this server's clock: gateways need not agree on the time.
local clock = redis.call('TIME')
-- Counted from 2026, so that a fraction of a microsecond is not lost.
local now = (clock[1] - 1767225600) * 1000000 + clock[2]
local drawn, full, allowed = {}, {}, true
for index, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * index - 1]), tonumber(ARGV[2 * index])
  local depth = interval * burst
  local before = tonumber(redis.call('GET', key) or '0') or 0
  -- A clock that was set back must not keep a bucket empty for longer than it takes to fill it.
  before = math.min(math.max(before, now), now + depth)
  local after = before + interval
  -- A hundredth of a microsecond is the error of counting in floating point.
  if after > now + depth + 0.01 then
    allowed = false
    drawn[index] = {0, 0, math.ceil(before - now), math.ceil(after - now - depth)}
  else
    full[index] = after
    drawn[index] = {1, math.floor((now + depth - after + 0.01) / interval), math.ceil(after - now), 0}
  end
end
if allowed then
  for index, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.3f', full[index]), 'PX', math.ceil((full[index] - now) / 1000) + 1)
  end
end
return drawn
