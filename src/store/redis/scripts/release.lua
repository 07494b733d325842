#!lua
--[[
  Marks a clean hand-off: the owner has nothing of this term in flight. The next claim clears it.

    KEYS[1]  fence    hash: view, claim, owner, seq, batch, generation, released

    ARGV[1]  call number, echoed first in every reply
    ARGV[2]  view
    ARGV[3]  claim

  Replies
    { call, "OK", claim }
    { call, "NOSTATE" }                      no whole fence               nothing written
    { call, "FENCED", view, claim, owner }   another term has the fence   nothing written
]]
local fence = redis.call("HMGET", KEYS[1], "view", "claim", "owner", "seq")
if not (fence[1] and fence[2] and fence[3] and fence[4]) then
  return { ARGV[1], "NOSTATE" }
end
if fence[1] ~= ARGV[2] or fence[2] ~= ARGV[3] then
  return { ARGV[1], "FENCED", fence[1], fence[2], fence[3] }
end
redis.call("HSET", KEYS[1], "released", ARGV[3])
return { ARGV[1], "OK", ARGV[3] }
