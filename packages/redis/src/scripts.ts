import { createHash } from 'node:crypto';

/** A script that the server runs as one step. */
export interface Script {
  readonly text: string;
  /** The name that the server knows it by. */
  readonly hash: string;
}

function script(text: string): Script {
  return { text, hash: createHash('sha1').update(text).digest('hex') };
}

/**
 * The members of the index that stand for a record: one in the group of its kind, and one in the group of each field.
 * Absent fields are false.
 */
const membersFunction = `
local function members(key, kind, due, status, subject, task)
  local rest = '|' .. due .. '|' .. key
  local all = { kind .. '|' .. rest }
  if status then all[#all + 1] = kind .. '|s' .. #status .. ':' .. status .. rest end
  if subject then all[#all + 1] = kind .. '|u' .. #subject .. ':' .. subject .. rest end
  if task then all[#all + 1] = kind .. '|t' .. #task .. ':' .. task .. rest end
  return all
end
local function removeMembers(index, key, f)
  redis.call('ZREM', index, unpack(members(key, f[1], f[2], f[3], f[4], f[5])))
end
`;

/**
 * Swaps a record and its members of the index, and tells whoever watches.
 *
 * KEYS: record, index. ARGV: key, expected version, next version, whether a value follows ('1'), the value, kind, due
 * text, then status, subject and task id, each '' or '=' and the text.
 *
 * The first write is HSET: a server without memory refuses it before anything has changed.
 */
export const compareAndSwapScript: Script = script(`${membersFunction}
local stored = redis.call('HMGET', KEYS[1], 'v', 'x', 'k', 'd', 's', 'u', 't')
if (stored[1] or '0') ~= ARGV[2] then return 0 end
local set = { 'v', ARGV[3], 'k', ARGV[6], 'd', ARGV[7] }
local unset = {}
local given = {}
for at, name in ipairs({ 's', 'u', 't' }) do
  local field = ARGV[7 + at]
  if field == '' then
    given[at] = false
    unset[#unset + 1] = name
  else
    given[at] = string.sub(field, 2)
    set[#set + 1] = name
    set[#set + 1] = given[at]
  end
end
local lives = ARGV[4] == '1'
set[#set + 1] = lives and 'r' or 'x'
set[#set + 1] = lives and ARGV[5] or '1'
unset[#unset + 1] = lives and 'x' or 'r'
redis.call('HSET', KEYS[1], unpack(set))
redis.call('HDEL', KEYS[1], unpack(unset))
if stored[1] and not stored[2] then
  removeMembers(KEYS[2], ARGV[1], { stored[3], stored[4], stored[5], stored[6], stored[7] })
end
if lives then
  local scored = {}
  for _, member in ipairs(members(ARGV[1], ARGV[6], ARGV[7], given[1], given[2], given[3])) do
    scored[#scored + 1] = 0
    scored[#scored + 1] = member
  end
  redis.call('ZADD', KEYS[2], unpack(scored))
end
redis.call('PUBLISH', KEYS[1], ARGV[3])
return 1
`);

/**
 * Appends to a stream. KEYS: stream. ARGV: the sequence before the first value, the values.
 *
 * A server without memory refuses the first XADD; once that is done it takes the others too.
 */
export const appendScript: Script = script(`
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if (last and string.match(last[1], '^%d+') or '0') ~= ARGV[1] then return 0 end
local sequence
for at = 2, #ARGV do
  sequence = string.format('%.0f', ARGV[1] + at - 1)
  redis.call('XADD', KEYS[1], sequence .. '-0', 'v', ARGV[at])
end
redis.call('PUBLISH', KEYS[1], sequence)
return 1
`);

/** Removes a record for good, unless it was written meanwhile. KEYS: record, index. ARGV: key, version. */
export const forgetScript: Script = script(`${membersFunction}
local stored = redis.call('HMGET', KEYS[1], 'v', 'k', 'd', 's', 'u', 't')
if stored[1] ~= ARGV[2] then return 0 end
removeMembers(KEYS[2], ARGV[1], { stored[2], stored[3], stored[4], stored[5], stored[6] })
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[1], '0')
return 1
`);

/** Removes entries of a stream. KEYS: stream. ARGV: the sequence below which they go. */
export const trimScript: Script = script(`
redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1] .. '-0')
if redis.call('XLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[1]) end
return 1
`);
