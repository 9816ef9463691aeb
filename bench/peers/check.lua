-- What a good engineer would put into nginx: who signed, is the signature right, is it fresh, how many this minute.
-- Signatures as Binance documents them: HMAC-SHA256 over query string and body, hexadecimal, in `signature`.
-- Absent on purpose: replay, scopes, order checks and a record; they are what Ringfence does beyond this.
local ffi = require "ffi"
ffi.cdef [[
typedef struct hmac_ctx_st HMAC_CTX;
HMAC_CTX *HMAC_CTX_new(void);
const void *EVP_sha256(void);
int HMAC_Init_ex(HMAC_CTX *ctx, const void *key, int len, const void *md, void *impl);
int HMAC_Update(HMAC_CTX *ctx, const unsigned char *data, size_t len);
int HMAC_Final(HMAC_CTX *ctx, unsigned char *md, unsigned int *len);
int CRYPTO_memcmp(const void *a, const void *b, size_t len);
unsigned char *ngx_hex_dump(unsigned char *dst, const unsigned char *src, size_t len);
]]
local C = ffi.C
local crypto = ffi.load("libcrypto.so.3")
local digest = ffi.new("unsigned char[32]")
local hex = ffi.new("unsigned char[64]")
local counts = ngx.shared.counts
local find, sub = string.find, string.sub

-- One keyed context for each credential: setting it back is cheaper than keying it again.
local contexts = {}
local check = {}

function check.load(path)
    for line in io.lines(path) do
        local id, secret = line:match("^(%S+) (%S+)$")
        local context = crypto.HMAC_CTX_new()
        assert(crypto.HMAC_Init_ex(context, secret, #secret, crypto.EVP_sha256(), nil) == 1)
        contexts[id] = context
    end
end

local function refuse(status, code, message)
    local body = '{"code":' .. code .. ',"msg":"' .. message .. '"}'
    ngx.status = status
    ngx.header.content_type = "application/json;charset=UTF-8"
    ngx.header.content_length = #body
    ngx.print(body)
    return ngx.exit(status)
end

-- Returns `text` without its signature, and the signature.
local function unsigned(text)
    local first, last = find(text, "&signature=", 1, true)
    if not first then
        return text, nil
    end
    return sub(text, 1, first - 1) .. sub(text, last + 65), sub(text, last + 1, last + 64)
end

local function parameter(text, pattern)
    local from, to = ngx.re.find(text, pattern, "jo", nil, 1)
    return from and tonumber(sub(text, from, to))
end

local function signed(context, query, body, signature)
    crypto.HMAC_Init_ex(context, nil, 0, nil, nil)
    crypto.HMAC_Update(context, query, #query)
    crypto.HMAC_Update(context, body, #body)
    crypto.HMAC_Final(context, digest, nil)
    C.ngx_hex_dump(hex, digest, 32)
    return #signature == 64 and crypto.CRYPTO_memcmp(hex, signature, 64) == 0
end

function check.request()
    local id = ngx.var.http_x_mbx_apikey
    local context = id and contexts[id]
    if not context then
        return refuse(401, -2015, "Invalid API-key, IP, or permissions for action.")
    end
    ngx.req.read_body()
    local query, in_query = unsigned(ngx.var.args or "")
    local body, in_body = unsigned(ngx.req.get_body_data() or "")
    local signature = in_body or in_query
    if not signature or not signed(context, query, body, signature) then
        return refuse(400, -1022, "Signature for this request is not valid.")
    end
    local both = query .. "&" .. body
    local time_ms = parameter(both, [[(?:^|&)timestamp=(\d+)]])
    local window_ms = parameter(both, [[(?:^|&)recvWindow=(\d+)]]) or 5000
    local now_ms = ngx.now() * 1000
    if not time_ms or time_ms > now_ms + 1000 or now_ms - time_ms > window_ms then
        return refuse(400, -1021, "Timestamp for this request is outside of the recvWindow.")
    end
    if counts:incr(id, 1, 0, 60) > 1000000000 then
        return refuse(429, -1003, "Too many requests.")
    end
end

return check
