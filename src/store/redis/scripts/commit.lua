#!lua
--[[
  Appends one batch to a partition's journal and moves its stock backup. Hot: bench/journal.ts.

    KEYS[1]  fence    hash: view, claim, owner, seq, batch, generation, released
    KEYS[2]  stock    hash: SKU key -> available; a SKU that is not there counts as 0
    KEYS[3]  journal  stream: <seq>-0 -> claim, bytes

    ARGV[1]  call number, echoed first in every reply
    ARGV[2]  view
    ARGV[3]  claim
    ARGV[4]  seq
    ARGV[5]  batch id
    ARGV[6]  bytes
    ARGV[7…] SKU key, net delta, SKU key, net delta, … each SKU at most once

  Replies
    { call, "OK", claim, seq, batch, nowMs }
    { call, "DUP", claim, seq, batch, nowMs }  the same batch was written before; as good as OK
    { call, "NOSTATE" }                        no fence                       nothing written
    { call, "FENCED", view, claim, owner }     another term has the fence     nothing written
    { call, "SEQ", seq }                       not one above the stored seq   nothing written
    { call, "NEG", sku, available }            a SKU would go below zero      nothing written

  They are checked in the order NOSTATE, FENCED, DUP, SEQ, NEG. FENCED comes before DUP: only the
  present claim may hear that its batch is there.

  Validate everything, then write: Lua has no rollback, so nothing may be refused after the first
  write. That one is XADD, for two reasons: it is the write that grows (out of memory aborts at the
  first), and it fails by itself on a journal that is ahead of its fence.
]]
local fence = redis.call("HMGET", KEYS[1], "view", "claim", "seq", "batch")
local storedSeq = fence[3]
if not storedSeq then
  return { ARGV[1], "NOSTATE" }
end
local claim, seq, batch = ARGV[3], ARGV[4], ARGV[5]
if fence[1] ~= ARGV[2] or fence[2] ~= claim then
  return { ARGV[1], "FENCED", fence[1], fence[2], redis.call("HGET", KEYS[1], "owner") }
end
local clock = redis.call("TIME")
local nowMs = string.format("%.0f", clock[1] * 1000 + math.floor(clock[2] / 1000))
if seq == storedSeq and batch == fence[4] then
  return { ARGV[1], "DUP", claim, seq, batch, nowMs }
end
if tonumber(seq) ~= tonumber(storedSeq) + 1 then
  return { ARGV[1], "SEQ", storedSeq }
end

-- unpack puts its values on Lua's stack, which holds 8,000: so large batches go in slices.
local FIRST, SLICE = 7, 2000
local slices = {}
for from = FIRST, #ARGV, SLICE do
  local skus, slice, count = {}, {}, 0
  for at = from, math.min(from + SLICE, #ARGV) - 1, 2 do
    count = count + 1
    skus[count] = ARGV[at]
  end
  local stored = redis.call("HMGET", KEYS[2], unpack(skus))
  for n = 1, count do
    local available = tonumber(stored[n] or "0")
    local after = available + tonumber(ARGV[from + 2 * n - 1])
    if after < 0 then
      return { ARGV[1], "NEG", skus[n], string.format("%.0f", available) }
    end
    slice[2 * n - 1] = skus[n]
    slice[2 * n] = string.format("%.0f", after)
  end
  slices[#slices + 1] = slice
end

redis.call("XADD", KEYS[3], seq .. "-0", "claim", claim, "bytes", ARGV[6])
for _, slice in ipairs(slices) do
  redis.call("HSET", KEYS[2], unpack(slice))
end
redis.call("HSET", KEYS[1], "seq", seq, "batch", batch)
return { ARGV[1], "OK", claim, seq, batch, nowMs }
