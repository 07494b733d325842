#!lua
--[[
  Makes the fence of a new partition. Creation is never recovery: it may only make a fence that is
  missing, and only where nothing else of the partition is left (a fence that was lost beside its
  journal must not be papered over).

    KEYS[1]  fence    hash: view, claim, owner, seq, batch, generation, released
    KEYS[2]  stock
    KEYS[3]  journal
    KEYS[4]  snapshot

    ARGV[1]  call number, echoed first in every reply
    ARGV[2]  generation

  Replies
    { call, "OK" }
    { call, "EXISTS" }     there is a fence already            nothing written
    { call, "LEFTOVER" }   no fence, but other keys are there  nothing written
]]
if redis.call("EXISTS", KEYS[1]) == 1 then
  return { ARGV[1], "EXISTS" }
end
if redis.call("EXISTS", KEYS[2], KEYS[3], KEYS[4]) > 0 then
  return { ARGV[1], "LEFTOVER" }
end
redis.call("HSET", KEYS[1],
  "view", "0", "claim", "0", "owner", "", "seq", "0", "batch", "", "generation", ARGV[2])
return { ARGV[1], "OK" }
