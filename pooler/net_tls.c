/* SPDX-License-Identifier: ISC
 *
 * TLS towards clients.  One SSL_CTX holds what the settings say; a reload builds another one,
 * and each connection keeps the one it began with (OpenSSL counts the references).
 *
 * No renegotiation, no compression, no early data; session tickets are encrypted with keys that
 * live as long as the SSL_CTX, so a reload ends them.  Buffers of idle connections are released.
 */
#include "conf.h"
#include "net.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <sys/stat.h>

struct net_tls {
	atomic_int refs;
	SSL_CTX *ctx;
};

/* What OpenSSL says is wrong, and a clean slate. */
static const char *ssl_reason(void)
{
	unsigned long code = ERR_peek_error();
	const char *text = NULL;

	if (code && ERR_SYSTEM_ERROR(code))
		text = strerror(ERR_GET_REASON(code));
	else if (code)
		text = ERR_reason_error_string(code);
	ERR_clear_error();
	return text ? text : "unknown error";
}

/* --- words -------------------------------------------------------------------- */

static bool set_protocols(SSL_CTX *ctx, const char *list, struct buf *err)
{
	static const uint64_t no[] = {
		SSL_OP_NO_TLSv1, SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2, SSL_OP_NO_TLSv1_3};
	unsigned versions = conf_tls_versions(list ? list : "");

	if (!versions)
		buf_printf(err, "client_tls_protocols: \"%s\" leaves no protocol", list);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (!(versions & 1u << i))
			SSL_CTX_set_options(ctx, no[i]);
	return versions != 0;
}

static bool set_ciphers(SSL_CTX *ctx, const struct net_tls_options *o, struct buf *err)
{
	static const char *const words[][2] = {
		{"", "HIGH:!aNULL:!3DES"},
		{"default", "HIGH:!aNULL:!3DES"},
		{"secure", "HIGH:!aNULL:!3DES"},
		{"normal", "HIGH:!aNULL:!3DES"},
		{"fast", "ECDHE+AESGCM:ECDHE+CHACHA20:HIGH:!aNULL:!3DES"},
		{"compat", "HIGH:MEDIUM:!aNULL"},
		{"legacy", "ALL:!aNULL"},
		{"all", "ALL:!aNULL"},
		{"insecure", "ALL:!aNULL"},
	};
	const char *list = o->ciphers ? o->ciphers : "", *tls13 = o->tls13_ciphers;
	const char *curves = o->ecdh_curves ? o->ecdh_curves : "auto";
	char *full;
	bool ok;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(list, words[i][0]) == 0) {
			list = words[i][1];
			break;
		}
	full = mem_printf("%s%s", list, strcmp(curves, "none") == 0 ? ":!kECDHE" : "");
	ok = SSL_CTX_set_cipher_list(ctx, full) == 1;
	free(full);
	if (!ok) {
		buf_printf(err, "client_tls_ciphers: OpenSSL knows no cipher in \"%s\"",
			o->ciphers);
		return false;
	}
	if (tls13 && *tls13 && SSL_CTX_set_ciphersuites(ctx, tls13) != 1) {
		buf_printf(err, "client_tls13_ciphers: OpenSSL does not take \"%s\"", tls13);
		return false;
	}
	if (*curves && strcmp(curves, "auto") != 0 && strcmp(curves, "none") != 0 &&
		SSL_CTX_set1_groups_list(ctx, curves) != 1) {
		buf_printf(err, "client_tls_ecdhcurve: OpenSSL does not take \"%s\"", curves);
		return false;
	}
	return true;
}

static bool set_dh(SSL_CTX *ctx, const char *params, struct buf *err)
{
	BIO *file;
	EVP_PKEY *key;

	if (!params || !*params || strcmp(params, "auto") == 0 || strcmp(params, "legacy") == 0)
		return SSL_CTX_set_dh_auto(ctx, 1) == 1;
	if (strcmp(params, "none") == 0)
		return true;
	file = BIO_new_file(params, "r");
	key = file ? PEM_read_bio_Parameters(file, NULL) : NULL;
	BIO_free(file);
	if (!key || SSL_CTX_set0_tmp_dh_pkey(ctx, key) != 1) {
		EVP_PKEY_free(key);
		buf_printf(err, "client_tls_dheparams: cannot use \"%s\": %s", params,
			ssl_reason());
		return false;
	}
	return true;
}

/* --- files ---------------------------------------------------------------------- */

/* There is nobody to type a passphrase. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out, (void)size, (void)writing, (void)arg;
	return 0;
}

static bool load_key(SSL_CTX *ctx, const struct net_tls_options *o, struct buf *err)
{
	struct stat st;

	if (!o->cert_file || !*o->cert_file || !o->key_file || !*o->key_file) {
		buf_put_str(err, "client_tls_sslmode is on, so client_tls_key_file and "
				 "client_tls_cert_file must be set");
		return false;
	}
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, o->cert_file) != 1) {
		buf_printf(err, "client_tls_cert_file: cannot use \"%s\": %s", o->cert_file,
			ssl_reason());
		return false;
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, o->key_file, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(ctx) != 1) {
		buf_printf(err, "client_tls_key_file: cannot use \"%s\" with \"%s\": %s",
			o->key_file, o->cert_file, ssl_reason());
		return false;
	}
	if (stat(o->key_file, &st) == 0 && (st.st_mode & 007))
		log_line(LOG_PART_NET, LOG_LEVEL_WARNING,
			"client_tls_key_file \"%s\" is a private key and open to every user (mode "
			"%04o)",
			o->key_file, (unsigned)st.st_mode & 07777);
	return true;
}

static bool load_ca(SSL_CTX *ctx, const struct net_tls_options *o, struct buf *err)
{
	bool must = o->mode == TLS_VERIFY_CA || o->mode == TLS_VERIFY_FULL;
	STACK_OF(X509_NAME) * names;
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	if (!o->ca_file || !*o->ca_file) {
		if (must)
			buf_put_str(err,
				"client_tls_sslmode verifies certificates, so client_tls_ca_file "
				"must be set");
		return !must;
	}
	names = SSL_load_client_CA_file(o->ca_file);
	if (!names || SSL_CTX_load_verify_locations(ctx, o->ca_file, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		buf_printf(err, "client_tls_ca_file: cannot use \"%s\": %s", o->ca_file,
			ssl_reason());
		return false;
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	if (o->crl_file && *o->crl_file) {
		if (X509_STORE_load_locations(store, o->crl_file, NULL) != 1) {
			buf_printf(err, "client_tls_crl_file: cannot use \"%s\": %s", o->crl_file,
				ssl_reason());
			return false;
		}
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
		NULL);
	return true;
}

/* --- ALPN ----------------------------------------------------------------------- */

/* Whoever names protocols must name ours: it keeps other protocols' clients (and attacks that
 * cross from one to the other) out. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\012postgresql";
	unsigned char *chosen;

	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* --- the door --------------------------------------------------------------------- */

struct net_tls *net_tls_new(const struct net_tls_options *o, struct buf *err)
{
	static const unsigned char context[] = "pgsluice";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	struct net_tls *t;

	ERR_clear_error();
	if (!ctx) {
		buf_printf(err, "OpenSSL: %s", ssl_reason());
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_ECDH_USE |
					 SSL_OP_SINGLE_DH_USE);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, context, sizeof context - 1);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	if (!set_protocols(ctx, o->protocols, err) || !set_ciphers(ctx, o, err) ||
		!set_dh(ctx, o->dh_params, err) || !load_key(ctx, o, err) ||
		!load_ca(ctx, o, err)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	t = mem_zalloc(sizeof *t);
	t->refs = 1;
	t->ctx = ctx;
	return t;
}

struct net_tls *net_tls_ref(struct net_tls *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void net_tls_drop(struct net_tls **t)
{
	struct net_tls *it = *t;

	*t = NULL;
	if (!it || atomic_fetch_sub(&it->refs, 1) != 1)
		return;
	SSL_CTX_free(it->ctx);
	free(it);
}

bool net_tls_start(const struct net_tls *t, struct conn *c, bool direct)
{
	SSL *ssl = SSL_new(t->ctx);

	ERR_clear_error();
	if (!ssl || SSL_set_fd(ssl, c->fd) != 1) {
		SSL_free(ssl);
		return false;
	}
	SSL_set_app_data(ssl, direct ? ssl : NULL); /* not NULL: ALPN is a must */
	SSL_set_accept_state(ssl);
	c->ssl = ssl;
	return true;
}

enum tls_verdict net_tls_handshake(struct conn *c, char *errtext, size_t size)
{
	const unsigned char *alpn;
	unsigned len;
	long verify;
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(c->ssl);
	if (rc == 1) {
		SSL_get0_alpn_selected(c->ssl, &alpn, &len);
		if (SSL_get_app_data((SSL *)c->ssl) && len == 0) {
			snprintf(errtext, size, "direct TLS without ALPN \"postgresql\"");
			return TLS_FAILED;
		}
		return TLS_DONE;
	}
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_SYSCALL:
		if (!ERR_peek_error()) {
			snprintf(errtext, size, "the client hung up");
			return TLS_FAILED;
		}
		break;
	default:
		break;
	}
	verify = SSL_get_verify_result(c->ssl);
	snprintf(errtext, size, "%s%s%s", ssl_reason(), verify == X509_V_OK ? "" : ": ",
		verify == X509_V_OK ? "" : X509_verify_cert_error_string(verify));
	return TLS_FAILED;
}

/* The verified certificate of the client, or NULL; the caller frees. */
static X509 *peer_certificate(const struct conn *c)
{
	if (!c->ssl || SSL_get_verify_result(c->ssl) != X509_V_OK)
		return NULL;
	return SSL_get1_peer_certificate(c->ssl);
}

char *net_tls_peer_cn(const struct conn *c)
{
	X509 *cert = peer_certificate(c);
	X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
	unsigned char *text = NULL;
	char *cn = NULL;
	int at = -1, last = -1, len;

	while (subject && (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
		last = at;
	if (last >= 0) {
		len = ASN1_STRING_to_UTF8(&text,
			X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
		/* A NUL inside would let "admin\0.evil.example" pass for "admin". */
		if (len > 0 && strlen((char *)text) == (size_t)len)
			cn = mem_strdup((char *)text);
		OPENSSL_free(text);
	}
	X509_free(cert);
	return cn;
}

char *net_tls_peer_dn(const struct conn *c)
{
	X509 *cert = peer_certificate(c);
	BIO *bio = cert ? BIO_new(BIO_s_mem()) : NULL;
	char *dn = NULL, *text;
	long len;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
		len = BIO_get_mem_data(bio, &text);
		if (len > 0 && memchr(text, 0, (size_t)len) == NULL)
			dn = mem_strndup(text, (size_t)len);
	}
	BIO_free(bio);
	X509_free(cert);
	return dn;
}

size_t net_tls_end_point(const struct conn *c, uint8_t out[64])
{
	X509 *cert = c->ssl ? SSL_get_certificate(c->ssl) : NULL; /* ours; not counted */
	const EVP_MD *md;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	int nid;

	if (!cert || !X509_get_signature_info(cert, &nid, NULL, NULL, NULL))
		return 0;
	/* RFC 5929: md5 and sha1 count as sha256. */
	md = nid == NID_md5 || nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(nid);
	if (!md || !X509_digest(cert, md, digest, &len) || len > 64)
		return 0;
	memcpy(out, digest, len);
	return len;
}
