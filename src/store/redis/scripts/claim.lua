#!lua
--[[
  Hands out the next claim of a partition to (view, owner). From then on every write of an earlier
  claim is FENCED. The same owner may claim again under its view: that is how an unknown outcome is
  settled, because whatever of the old claim is still on its way can no longer be written.

    KEYS[1]  fence    hash: view, claim, owner, seq, batch, generation, released

    ARGV[1]  call number, echoed first in every reply
    ARGV[2]  view
    ARGV[3]  owner

  Replies
    { call, "OK", view, owner, claim, seq, batch, generation, nowMs }
    { call, "NOSTATE" }                      no whole fence: never created,    nothing written
                                             or lost
    { call, "FENCED", view, claim, owner }   a lower view, or the same view    nothing written
                                             from another owner

  A new fence has no owner ("") and takes any. Numbers are decimal strings both ways: Lua numbers
  are doubles and a number in a reply is cut to an integer.
]]
local fence = redis.call("HMGET", KEYS[1], "view", "claim", "owner", "seq", "batch", "generation")
local storedView, storedClaim, storedOwner = fence[1], fence[2], fence[3]
local seq, batch, generation = fence[4], fence[5], fence[6]
if not (storedView and storedClaim and storedOwner and seq and batch and generation) then
  return { ARGV[1], "NOSTATE" }
end
local view, owner = ARGV[2], ARGV[3]
local isLower = tonumber(view) < tonumber(storedView)
local isTaken = view == storedView and owner ~= storedOwner and storedOwner ~= ""
if isLower or isTaken then
  return { ARGV[1], "FENCED", storedView, storedClaim, storedOwner }
end
local clock = redis.call("TIME")
local nowMs = string.format("%.0f", clock[1] * 1000 + math.floor(clock[2] / 1000))
local claim = string.format("%.0f", tonumber(storedClaim) + 1)
redis.call("HSET", KEYS[1], "view", view, "claim", claim, "owner", owner)
redis.call("HDEL", KEYS[1], "released")
return { ARGV[1], "OK", view, owner, claim, seq, batch, generation, nowMs }
