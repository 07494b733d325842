#!lua flags=allow-oom
--[[
  Confirms that a term still has its fence. Writes nothing, yet it does not say no-writes: a replica
  would then answer it, and a replica may be behind a newer claim.

    KEYS[1]  fence    hash: view, claim, owner, seq, batch, generation, released

    ARGV[1]  call number, echoed first in every reply
    ARGV[2]  view
    ARGV[3]  claim

  Replies
    { call, "OK", claim, seq, nowMs }
    { call, "NOSTATE" }                      no whole fence
    { call, "FENCED", view, claim, owner }   another term has the fence
]]
local fence = redis.call("HMGET", KEYS[1], "view", "claim", "owner", "seq")
if not (fence[1] and fence[2] and fence[3] and fence[4]) then
  return { ARGV[1], "NOSTATE" }
end
if fence[1] ~= ARGV[2] or fence[2] ~= ARGV[3] then
  return { ARGV[1], "FENCED", fence[1], fence[2], fence[3] }
end
local clock = redis.call("TIME")
local nowMs = string.format("%.0f", clock[1] * 1000 + math.floor(clock[2] / 1000))
return { ARGV[1], "OK", fence[2], fence[4], nowMs }
