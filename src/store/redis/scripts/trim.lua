#!lua flags=allow-oom
--[[
  Drops journal entries that are both in the snapshot and in the ledger: up to
  min(the stored snapshot's seq, the ledger's seq). At most ARGV[5] entries a call, so that a long
  backlog never holds Redis for long; the caller repeats while `dropped` is below `bound`.
  It only frees memory, so it is allowed when memory is out.

    KEYS[1]  fence     hash: view, claim, owner, seq, batch, generation, released
    KEYS[2]  snapshot  hash: seq, …; none counts as seq 0
    KEYS[3]  journal   stream: <seq>-0 -> claim, bytes

    ARGV[1]  call number, echoed first in every reply
    ARGV[2]  view
    ARGV[3]  claim
    ARGV[4]  the ledger's seq
    ARGV[5]  how many entries to drop at most

  Replies
    { call, "OK", dropped, bound }           entries up to `dropped` are gone
    { call, "NOSTATE" }                      no whole fence                    nothing written
    { call, "FENCED", view, claim, owner }   another term has the fence        nothing written
    { call, "STALE", seq }                   the ledger's seq is above the     nothing written
                                             fence's: that seq
]]
local fence = redis.call("HMGET", KEYS[1], "view", "claim", "owner", "seq")
if not (fence[1] and fence[2] and fence[3] and fence[4]) then
  return { ARGV[1], "NOSTATE" }
end
if fence[1] ~= ARGV[2] or fence[2] ~= ARGV[3] then
  return { ARGV[1], "FENCED", fence[1], fence[2], fence[3] }
end
local ledgerSeq = tonumber(ARGV[4])
if ledgerSeq > tonumber(fence[4]) then
  return { ARGV[1], "STALE", fence[4] }
end
local snapshotSeq = tonumber(redis.call("HGET", KEYS[2], "seq") or "0")
local bound = math.min(snapshotSeq, ledgerSeq)
local boundText = string.format("%.0f", bound)
local oldest = redis.call("XRANGE", KEYS[3], "-", "+", "COUNT", 1)[1]
local oldestSeq = oldest and tonumber(string.match(oldest[1], "^%d+"))
if not oldestSeq or oldestSeq > bound then
  return { ARGV[1], "OK", boundText, boundText }
end
local dropped = math.min(bound, oldestSeq + tonumber(ARGV[5]) - 1)
redis.call("XTRIM", KEYS[3], "MINID", string.format("%.0f-0", dropped + 1))
return { ARGV[1], "OK", string.format("%.0f", dropped), boundText }
