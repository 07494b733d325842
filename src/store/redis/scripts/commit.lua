#!lua
--[[
  Appends batches to the journals of their partitions and moves their stock backups: those that one
  turn of an engine made, each as if it had come alone. Hot: bench/journal.ts.

    KEYS, three for each batch
      fence    hash: view, claim, owner, seq, batch, generation, released
      stock    hash: SKU key -> available; a SKU that is not there counts as 0
      journal  stream: <seq>-0 -> claim, bytes

    ARGV[1]  call number, echoed first in the reply
    then for each batch: how many arguments it has, and these:
      view, claim, seq, batch id, bytes
      SKU key, net delta, SKU key, net delta, …  each SKU at most once

  Reply: { call, … } with the answer to each batch in their order, one of
    { "OK", claim, seq, batch, nowMs }
    { "DUP", claim, seq, batch, nowMs }  the same batch was written before; as good as OK
    { "NOSTATE" }                        no whole fence                 nothing written
    { "FENCED", view, claim, owner }     another term has the fence     nothing written
    { "SEQ", seq }                       not one above the stored seq   nothing written
    { "NEG", sku, available }            a SKU would go below zero      nothing written
    { "ERROR", message }                 what Redis said to this one    as Redis says

  They are checked in the order NOSTATE, FENCED, DUP, SEQ, NEG. FENCED comes before DUP: only the
  present claim may hear that its batch is there.

  Validate everything, then write: Lua has no rollback, so nothing of a batch may be refused after
  its first write. That one is XADD, for two reasons: it is the write that grows (out of memory
  aborts at the first), and it fails by itself on a journal that is ahead of its fence.
]]
local clock = redis.call("TIME")
local nowMs = string.format("%.0f", clock[1] * 1000 + math.floor(clock[2] / 1000))

local function commit(fenceKey, stockKey, journalKey, first, last)
  local view, claim, seq, batch = ARGV[first], ARGV[first + 1], ARGV[first + 2], ARGV[first + 3]
  local fence = redis.call("HMGET", fenceKey, "view", "claim", "owner", "seq", "batch")
  local storedSeq = fence[4]
  if not (fence[1] and fence[2] and fence[3] and storedSeq) then
    return { "NOSTATE" }
  end
  if fence[1] ~= view or fence[2] ~= claim then
    return { "FENCED", fence[1], fence[2], fence[3] }
  end
  if seq == storedSeq and batch == fence[5] then
    return { "DUP", claim, seq, batch, nowMs }
  end
  if tonumber(seq) ~= tonumber(storedSeq) + 1 then
    return { "SEQ", storedSeq }
  end

  -- unpack puts its values on Lua's stack, which holds 8,000: so large batches go in slices.
  local SLICE = 2000
  local slices = {}
  for from = first + 5, last, SLICE do
    local skus, slice, count = {}, {}, 0
    for at = from, math.min(from + SLICE - 1, last), 2 do
      count = count + 1
      skus[count] = ARGV[at]
    end
    local stored = redis.call("HMGET", stockKey, unpack(skus))
    for n = 1, count do
      local available = tonumber(stored[n] or "0")
      local after = available + tonumber(ARGV[from + 2 * n - 1])
      if after < 0 then
        return { "NEG", skus[n], string.format("%.0f", available) }
      end
      slice[2 * n - 1] = skus[n]
      slice[2 * n] = string.format("%.0f", after)
    end
    slices[#slices + 1] = slice
  end

  redis.call("XADD", journalKey, seq .. "-0", "claim", claim, "bytes", ARGV[first + 4])
  for _, slice in ipairs(slices) do
    redis.call("HSET", stockKey, unpack(slice))
  end
  redis.call("HSET", fenceKey, "seq", seq, "batch", batch)
  return { "OK", claim, seq, batch, nowMs }
end

local reply = { ARGV[1] }
local at = 2
for key = 1, #KEYS, 3 do
  local last = at + tonumber(ARGV[at])
  -- One batch's error is not another's.
  local isDone, answer = pcall(commit, KEYS[key], KEYS[key + 1], KEYS[key + 2], at + 1, last)
  if not isDone then
    answer = { "ERROR", type(answer) == "table" and answer.err or tostring(answer) }
  end
  reply[#reply + 1] = answer
  at = last + 1
end
return reply
