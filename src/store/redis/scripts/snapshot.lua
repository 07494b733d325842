#!lua
--[[
  Stores one piece of a snapshot; with the last piece it switches to the new snapshot. Pieces
  gather in a hash of their own that nobody reads; RENAME makes it the snapshot in one step, so a
  half-written snapshot is never seen. The first piece drops what a cut-off attempt left there.

    KEYS[1]  fence     hash: view, claim, owner, seq, batch, generation, released
    KEYS[2]  snapshot  hash: seq, pieces, attempt, 0 … pieces - 1
    KEYS[3]  staging   hash: the same without pieces, of the attempt under way

    ARGV[1]  call number, echoed first in every reply
    ARGV[2]  view
    ARGV[3]  claim
    ARGV[4]  seq       of the last batch that is in the snapshot
    ARGV[5]  attempt   unique for each writing of a snapshot
    ARGV[6]  index     of this piece, from 0 in order
    ARGV[7]  bytes     of this piece
    ARGV[8]  last      "1": there is no other, "0"

  Replies
    { call, "OK", seq, attempt, index }
    { call, "NOSTATE" }                      no whole fence                      nothing written
    { call, "FENCED", view, claim, owner }   another term has the fence          nothing written
    { call, "STALE", seq }                   not above the stored snapshot's seq,  nothing written
                                             or above the fence's: that seq
    { call, "ATTEMPT" }                      the pieces before this one are not  nothing written
                                             there: another attempt came between

  Validate everything, then write: Lua has no rollback. The growing write comes first.
]]
local fence = redis.call("HMGET", KEYS[1], "view", "claim", "owner", "seq")
if not (fence[1] and fence[2] and fence[3] and fence[4]) then
  return { ARGV[1], "NOSTATE" }
end
if fence[1] ~= ARGV[2] or fence[2] ~= ARGV[3] then
  return { ARGV[1], "FENCED", fence[1], fence[2], fence[3] }
end
local seq, attempt, index = ARGV[4], ARGV[5], tonumber(ARGV[6])
if tonumber(seq) > tonumber(fence[4]) then
  return { ARGV[1], "STALE", fence[4] }
end
local storedSeq = redis.call("HGET", KEYS[2], "seq")
if storedSeq and tonumber(seq) <= tonumber(storedSeq) then
  return { ARGV[1], "STALE", storedSeq }
end
if index > 0 then
  local staged = redis.call("HGET", KEYS[3], "attempt")
  -- seq and attempt are fields too
  if staged ~= attempt or redis.call("HLEN", KEYS[3]) ~= index + 2 then
    return { ARGV[1], "ATTEMPT" }
  end
end

if index == 0 then
  redis.call("DEL", KEYS[3])
  redis.call("HSET", KEYS[3], "seq", seq, "attempt", attempt, "0", ARGV[7])
else
  redis.call("HSET", KEYS[3], ARGV[6], ARGV[7])
end
if ARGV[8] == "1" then
  redis.call("HSET", KEYS[3], "pieces", index + 1)
  redis.call("RENAME", KEYS[3], KEYS[2])
end
return { ARGV[1], "OK", seq, attempt, ARGV[6] }
