/* Packets of no known connection: new connections, and the answers that need none. Every answer is
 * shorter than what it answers, and its number a second is bounded. */
#include "h3/internal.h"
#include <ngtcp2/ngtcp2_crypto.h>

#define ANSWERS_BURST 100
#define ANSWERS_RATE  100
#define RESET_LENGTH  43
#define RESET_LEAST   (NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN)

void h3_negotiate_version(struct h3_endpoint *endpoint, const ngtcp2_path *path,
                          const ngtcp2_version_cid *id, struct span data, herald_time now)
{
    static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};
    if (!endpoint->config.is_server || data.length < H3_DATAGRAM_LEAST ||
        !h3_bucket_take(&endpoint->negotiations, ANSWERS_BURST, ANSWERS_RATE, now))
        return;
    struct h3_reply *reply = h3_reply_new(endpoint, path);
    if (reply == NULL)
        return;
    uint8_t random;
    endpoint->config.random(&random, 1);
    ngtcp2_ssize length = ngtcp2_pkt_write_version_negotiation(
        reply->data, sizeof(reply->data), random, id->scid, id->scidlen, id->dcid, id->dcidlen,
        versions, sizeof(versions) / sizeof(versions[0]));
    if (length <= 0) {
        h3_reply_drop(endpoint, reply);
        return;
    }
    reply->length = (size_t)length;
    h3_reply_send(endpoint, reply);
}

/* RFC 9000 section 10.3. The connection IDs of other workers are theirs to answer; answers get
 * shorter each time, so two endpoints cannot keep each other busy. */
static void send_reset(struct h3_endpoint *endpoint, const ngtcp2_path *path, struct span data,
                       herald_time now)
{
    ngtcp2_cid id;
    uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN], random[RESET_LENGTH];
    if (data.length <= RESET_LEAST || data.length < 1 + H3_ID_LENGTH ||
        data.data[1] != endpoint->config.worker ||
        !h3_bucket_take(&endpoint->resets, ANSWERS_BURST, ANSWERS_RATE, now))
        return;
    size_t length = data.length - 1 < RESET_LENGTH ? data.length - 1 : RESET_LENGTH;
    size_t random_length = length - NGTCP2_STATELESS_RESET_TOKENLEN;
    ngtcp2_cid_init(&id, data.data + 1, H3_ID_LENGTH);
    endpoint->config.random(random, random_length);
    struct h3_reply *reply = h3_reply_new(endpoint, path);
    if (reply == NULL)
        return;
    ngtcp2_ssize written = -1;
    if (ngtcp2_crypto_generate_stateless_reset_token(token, endpoint->config.secret,
                                                     ENDPOINT_SECRET_SIZE, &id) == 0)
        written =
            ngtcp2_pkt_write_stateless_reset(reply->data, length, token, random, random_length);
    if (written <= 0) {
        h3_reply_drop(endpoint, reply);
        return;
    }
    reply->length = (size_t)written;
    h3_reply_send(endpoint, reply);
}

static void send_retry(struct h3_endpoint *endpoint, const ngtcp2_path *path,
                       const ngtcp2_pkt_hd *initial, herald_time now)
{
    uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
    ngtcp2_cid id;
    h3_random_id(endpoint, &id);
    ngtcp2_ssize token_length = ngtcp2_crypto_generate_retry_token2(
        token, endpoint->config.secret, ENDPOINT_SECRET_SIZE, initial->version, path->remote.addr,
        path->remote.addrlen, &id, &initial->dcid, now);
    struct h3_reply *reply = token_length < 0 ? NULL : h3_reply_new(endpoint, path);
    if (reply == NULL)
        return;
    ngtcp2_ssize length =
        ngtcp2_crypto_write_retry(reply->data, sizeof(reply->data), initial->version,
                                  &initial->scid, &id, &initial->dcid, token, (size_t)token_length);
    if (length <= 0) {
        h3_reply_drop(endpoint, reply);
        return;
    }
    reply->length = (size_t)length;
    h3_reply_send(endpoint, reply);
}

static void refuse_token(struct h3_endpoint *endpoint, const ngtcp2_path *path,
                         const ngtcp2_pkt_hd *initial)
{
    struct h3_reply *reply = h3_reply_new(endpoint, path);
    if (reply == NULL)
        return;
    ngtcp2_ssize length = ngtcp2_crypto_write_connection_close(
        reply->data, sizeof(reply->data), initial->version, &initial->scid, &initial->dcid,
        NGTCP2_INVALID_TOKEN, NULL, 0);
    if (length <= 0) {
        h3_reply_drop(endpoint, reply);
        return;
    }
    reply->length = (size_t)length;
    h3_reply_send(endpoint, reply);
}

enum address_proof { PROOF_NONE, PROOF_RETRY, PROOF_TOKEN, PROOF_FORGED };

/* What the client's token says. One from an earlier connection that is not good is as none; one
 * that claims to answer a Retry must be right (RFC 9000 section 8.1.3). */
static enum address_proof check_token(const struct h3_endpoint *endpoint, const ngtcp2_path *path,
                                      const ngtcp2_pkt_hd *initial, ngtcp2_cid *original,
                                      herald_time now)
{
    if (initial->tokenlen == 0)
        return PROOF_NONE;
    if (initial->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2)
        return ngtcp2_crypto_verify_retry_token2(
                   original, initial->token, initial->tokenlen, endpoint->config.secret,
                   ENDPOINT_SECRET_SIZE, initial->version, path->remote.addr, path->remote.addrlen,
                   &initial->dcid, H3_RETRY_TIME, now) == 0
                   ? PROOF_RETRY
                   : PROOF_FORGED;
    if (initial->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR &&
        ngtcp2_crypto_verify_regular_token(
            initial->token, initial->tokenlen, endpoint->config.secret, ENDPOINT_SECRET_SIZE,
            path->remote.addr, path->remote.addrlen, H3_NEW_TOKEN_TIME, now) == 0)
        return PROOF_TOKEN;
    return PROOF_NONE;
}

static void make_connection(struct h3_endpoint *endpoint, const ngtcp2_path *path,
                            const struct conn_in *in, const ngtcp2_pkt_hd *initial,
                            enum address_proof proof, const ngtcp2_cid *original, herald_time now)
{
    const struct endpoint_host_ops *host = endpoint->base.host;
    struct endpoint_peer *peer = host->accept(&endpoint->base, &in->path);
    if (peer == NULL)
        return;
    ngtcp2_token_type token = proof == PROOF_RETRY   ? NGTCP2_TOKEN_TYPE_RETRY
                              : proof == PROOF_TOKEN ? NGTCP2_TOKEN_TYPE_NEW_TOKEN
                                                     : NGTCP2_TOKEN_TYPE_UNKNOWN;
    struct h3_conn *conn = h3_conn_create(endpoint, peer, path, initial,
                                          proof == PROOF_RETRY ? original : NULL, token, now);
    if (conn == NULL) {
        host->closed(&endpoint->base, peer, HERALD_ERROR_NOMEM);
        return;
    }
    h3_conn_receive(conn, path, in, now);
    h3_set_timer(conn);
}

void h3_accept(struct h3_endpoint *endpoint, const ngtcp2_path *path, const struct conn_in *in,
               herald_time now)
{
    ngtcp2_pkt_hd initial;
    ngtcp2_cid original;
    if (in->data.length == 0)
        return;
    if ((in->data.data[0] & 0x80) == 0) {
        send_reset(endpoint, path, in->data, now);
        return;
    }
    if (in->data.length < H3_DATAGRAM_LEAST ||
        ngtcp2_accept(&initial, in->data.data, in->data.length) != 0)
        return;
    enum address_proof proof = check_token(endpoint, path, &initial, &original, now);
    if (proof == PROOF_FORGED)
        refuse_token(endpoint, path, &initial);
    else if (proof == PROOF_NONE && endpoint->half_open >= endpoint->config.retry_above)
        send_retry(endpoint, path, &initial, now);
    else
        make_connection(endpoint, path, in, &initial, proof, &original, now);
}
