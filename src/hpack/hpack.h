/* Field compression for HTTP/2 (RFC 7541): one decoder and one encoder a connection, fed block by
 * block in the order of the wire. Knows nothing of requests: names and values are bytes. */
#ifndef HPACK_HPACK_H
#define HPACK_HPACK_H

#include "base/err.h"
#include "hpack/encoder_index.h"

#define HPACK_TABLE_DEFAULT                                                                        \
    4096 /* SETTINGS_HEADER_TABLE_SIZE before any SETTINGS (RFC 9113 section 6.5.2) */
#define HPACK_STRING_MAXIMUM 65536 /* of a decoded name or value unless set otherwise */

/* The static table's names (RFC 7541 appendix A) by the index of their first entry: the values of
 * hpack_field.static_index. */
enum hpack_static_name {
    HPACK_NAME_NONE = 0,
    HPACK_NAME_AUTHORITY = 1, /* ":authority" */
    HPACK_NAME_METHOD = 2,
    HPACK_NAME_PATH = 4,
    HPACK_NAME_SCHEME = 6,
    HPACK_NAME_STATUS = 8,
    HPACK_NAME_ACCEPT_CHARSET = 15,
    HPACK_NAME_ACCEPT_ENCODING = 16,
    HPACK_NAME_ACCEPT_LANGUAGE = 17,
    HPACK_NAME_ACCEPT_RANGES = 18,
    HPACK_NAME_ACCEPT = 19,
    HPACK_NAME_ACCESS_CONTROL_ALLOW_ORIGIN = 20,
    HPACK_NAME_AGE = 21,
    HPACK_NAME_ALLOW = 22,
    HPACK_NAME_AUTHORIZATION = 23,
    HPACK_NAME_CACHE_CONTROL = 24,
    HPACK_NAME_CONTENT_DISPOSITION = 25,
    HPACK_NAME_CONTENT_ENCODING = 26,
    HPACK_NAME_CONTENT_LANGUAGE = 27,
    HPACK_NAME_CONTENT_LENGTH = 28,
    HPACK_NAME_CONTENT_LOCATION = 29,
    HPACK_NAME_CONTENT_RANGE = 30,
    HPACK_NAME_CONTENT_TYPE = 31,
    HPACK_NAME_COOKIE = 32,
    HPACK_NAME_DATE = 33,
    HPACK_NAME_ETAG = 34,
    HPACK_NAME_EXPECT = 35,
    HPACK_NAME_EXPIRES = 36,
    HPACK_NAME_FROM = 37,
    HPACK_NAME_HOST = 38,
    HPACK_NAME_IF_MATCH = 39,
    HPACK_NAME_IF_MODIFIED_SINCE = 40,
    HPACK_NAME_IF_NONE_MATCH = 41,
    HPACK_NAME_IF_RANGE = 42,
    HPACK_NAME_IF_UNMODIFIED_SINCE = 43,
    HPACK_NAME_LAST_MODIFIED = 44,
    HPACK_NAME_LINK = 45,
    HPACK_NAME_LOCATION = 46,
    HPACK_NAME_MAX_FORWARDS = 47,
    HPACK_NAME_PROXY_AUTHENTICATE = 48,
    HPACK_NAME_PROXY_AUTHORIZATION = 49,
    HPACK_NAME_RANGE = 50,
    HPACK_NAME_REFERER = 51,
    HPACK_NAME_REFRESH = 52,
    HPACK_NAME_RETRY_AFTER = 53,
    HPACK_NAME_SERVER = 54,
    HPACK_NAME_SET_COOKIE = 55,
    HPACK_NAME_STRICT_TRANSPORT_SECURITY = 56,
    HPACK_NAME_TRANSFER_ENCODING = 57,
    HPACK_NAME_USER_AGENT = 58,
    HPACK_NAME_VARY = 59,
    HPACK_NAME_VIA = 60,
    HPACK_NAME_WWW_AUTHENTICATE = 61
};

struct hpack_field {
    struct span name; /* an encoder takes it as it is: lower case is the caller's duty */
    struct span value;
    bool never_indexed;   /* section 7.1.3; to be kept when the field is forwarded */
    uint8_t static_index; /* an hpack_static_name; always set by the decoder. To the encoder 0 means
                             "look it up" */
};

/* Called for each field in order. The spans are valid during the call only. 0 goes on, anything
 * else stops. */
typedef int hpack_emit(void *user, const struct hpack_field *field);

/* ---- decoder ---- */

struct hpack_decoder {
    struct hpack_table table;
    uint8_t *scratch; /* what Huffman strings expand into, and a name that must outlive its entry */
    size_t scratch_capacity;
    size_t string_maximum;
    uint32_t table_limit;     /* what we allow by SETTINGS */
    uint32_t required_update; /* the next block must begin with an update to at most this;
                                 UINT32_MAX: none asked */
    int failed;               /* the error that ended this decoder, or 0 */
    uint8_t updates;          /* size updates seen in this block */
    bool in_fields;           /* a field was seen in this block: no size update may follow */
};

/* `table_maximum` is the maximum in force from the first byte on: HPACK_TABLE_DEFAULT in HTTP/2,
 * whatever our first SETTINGS says (hpack_decoder_set_maximum is for that). Allocates nothing yet;
 * later memory is charged to `account` (may be NULL). */
void hpack_decoder_init(struct hpack_decoder *decoder, uint32_t table_maximum,
                        struct account *account);
void hpack_decoder_free(struct hpack_decoder *decoder);

/* Call when the peer has acknowledged SETTINGS_HEADER_TABLE_SIZE = `table_maximum` (cut to
 * HPACK_TABLE_MAXIMUM: announce no more), between blocks. After a reduction below the present
 * maximum the next block must begin with a size update (RFC 9113 section 4.3.1). */
void hpack_decoder_set_maximum(struct hpack_decoder *decoder, uint32_t table_maximum);

/* The longest name or value accepted, in decoded bytes. */
void hpack_decoder_set_string_maximum(struct hpack_decoder *decoder, size_t maximum);

/* Decodes every complete representation in `in` and calls `emit` for each field. `*consumed` (never
 * NULL, always set) says how many bytes that were; the rest is the beginning of a representation
 * that goes on in the next fragment: the caller puts it in front of that. `last_fragment` says the
 * block ends with `in` (END_HEADERS); everything is consumed then or it is an error. Cost is linear
 * in `length`; nothing is allocated a field.
 *
 * Returns 0, or
 *   what `emit` returned: the field it refused is consumed and the table is in step with the peer,
 * so the caller may go on with the rest by another call; to skip fields over a limit of its own,
 * `emit` ignores them and returns 0; HERALD_ERROR_COMPRESSION: the block breaks RFC 7541, or has
 * more than two size updates, or none where one is due; HERALD_ERROR_LIMIT: a string is longer than
 * the string maximum (found before it is expanded where its encoded length shows it), or the
 * account is full; HERALD_ERROR_NOMEM. After the last three the decoder answers every call with the
 * same error: the connection is over, as COMPRESSION_ERROR or ENHANCE_YOUR_CALM or INTERNAL_ERROR.
 */
int hpack_decode(struct hpack_decoder *decoder, const uint8_t *in, size_t length,
                 bool last_fragment, size_t *consumed, hpack_emit *emit, void *user);

/* Changes whenever the table does. A complete block that was decoded with the same value before and
 * after means the same fields again as long as the value stays. */
static inline uint32_t hpack_decoder_generation(const struct hpack_decoder *decoder)
{
    return decoder->table.generation;
}

/* ---- encoder ---- */

#define HPACK_SEEN_SLOTS   64
#define HPACK_RECENT_SLOTS 32

struct hpack_encoder {
    struct hpack_table table;
    struct hpack_index index;
    uint32_t own_limit;       /* the most we want, whatever the peer allows */
    uint32_t pending_minimum; /* the smallest maximum since the last block */
    bool update_pending;
    uint16_t seen[HPACK_SEEN_SLOTS];     /* hashes of fields sent once without indexing */
    uint32_t recent[HPACK_RECENT_SLOTS]; /* by static index: the insertion last used, number + 1 */
};

/* `table_maximum` is the largest table we are willing to keep (cut to HPACK_TABLE_MAXIMUM). The
 * peer's decoder starts with HPACK_TABLE_DEFAULT; more is used only once hpack_encoder_set_maximum
 * allows it. Allocates nothing yet. */
void hpack_encoder_init(struct hpack_encoder *encoder, uint32_t table_maximum,
                        struct account *account);
void hpack_encoder_free(struct hpack_encoder *encoder);

/* The peer's SETTINGS_HEADER_TABLE_SIZE, when our acknowledgement goes out; between blocks only.
 * The next block begins with the size update(s) of section 4.2. */
void hpack_encoder_set_maximum(struct hpack_encoder *encoder, uint32_t table_maximum);

/* The most bytes hpack_encode_field can write for `field`. */
size_t hpack_field_bound(const struct hpack_field *field);

/* Encodes one field, in front of it any size update that is due. A block is a run of calls: begin
 * no other block and change no maximum in between. Fields in the wrong order, upper case, forbidden
 * names are the caller's business.
 *
 * What goes into the table is decided here: sensitive fields (never_indexed, authorization,
 * proxy-authorization, short cookies) never; values that seldom repeat only when they do. When
 * memory for the table is out the field is sent without indexing: that is no error.
 *
 * Returns the number of bytes written to `out`, or HERALD_ERROR_LIMIT when `capacity` is less than
 * hpack_field_bound: nothing is written or changed then. */
int hpack_encode_field(struct hpack_encoder *encoder, const struct hpack_field *field, uint8_t *out,
                       size_t capacity);

/* Changes whenever the table does or a size update is due or sent. The bytes of a block that was
 * encoded with the same value before and after may be sent again as long as the value stays. */
static inline uint32_t hpack_encoder_generation(const struct hpack_encoder *encoder)
{
    return encoder->table.generation;
}

#endif
