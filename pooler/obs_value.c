/* SPDX-License-Identifier: ISC
 *
 * One value in PostgreSQL's binary format as the text its output function gives.
 *
 * The formats are those of the types' *_send functions (src/backend/utils/adt).  What
 * depends on a session's settings is written as with DateStyle ISO, IntervalStyle postgres,
 * extra_float_digits 1 and TimeZone UTC.  A value of the wrong length, or of an impossible
 * content, is refused: the caller then shows its bytes.
 */
#include "obs_inner.h"

#include <arpa/inet.h>
#include <math.h>

static uint64_t be(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* --- numbers -------------------------------------------------------------- */

/* The shortest digits that read back as the same number, laid out as PostgreSQL does:
 * exponents from -4 up to `wide` (15 for float8, 6 for float4) are written out. */
static void put_float(struct buf *out, double v, int least, int most, int wide, bool single)
{
	char e[40], digits[24];
	int prec = least, exp10, n = 0;
	const char *c;

	if (isnan(v) || isinf(v)) {
		buf_put_str(out, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
		return;
	}
	if (fabs(v) < (single ? 1.2e-38 : 2.3e-308))
		prec = 1; /* below the normal range fewer digits may do */
	for (; prec <= most; prec++) {
		snprintf(e, sizeof e, "%.*e", prec - 1, v);
		if (single ? strtof(e, NULL) == (float)v : strtod(e, NULL) == v)
			break;
	}
	for (c = e; *c && *c != 'e'; c++)
		if (*c >= '0' && *c <= '9')
			digits[n++] = *c;
	exp10 = (int)strtol(c + 1, NULL, 10);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (e[0] == '-')
		buf_put_u8(out, '-');
	if (v == 0) {
		buf_put_u8(out, '0');
	} else if (exp10 < -4 || exp10 >= wide) {
		buf_put(out, digits, 1);
		if (n > 1)
			buf_put_u8(out, '.');
		buf_put(out, digits + 1, (size_t)n - 1);
		buf_printf(out, "e%c%02d", exp10 < 0 ? '-' : '+', abs(exp10));
	} else if (exp10 < 0) {
		buf_put(out, "0.0000", (size_t)(1 - exp10));
		buf_put(out, digits, (size_t)n);
	} else {
		for (int i = 0; i < n || i <= exp10; i++) {
			if (i == exp10 + 1)
				buf_put_u8(out, '.');
			buf_put_u8(out, i < n ? (uint8_t)digits[i] : '0');
		}
	}
}

static bool put_float4(struct buf *out, const unsigned char *p, size_t len)
{
	uint32_t bits;
	float f;

	if (len != 4)
		return false;
	bits = (uint32_t)be(p, 4);
	memcpy(&f, &bits, sizeof f);
	put_float(out, (double)f, 6, 9, 6, true);
	return true;
}

static bool put_float8(struct buf *out, const unsigned char *p, size_t len)
{
	uint64_t bits;
	double d;

	if (len != 8)
		return false;
	bits = be(p, 8);
	memcpy(&d, &bits, sizeof d);
	put_float(out, d, 15, 17, 15, false);
	return true;
}

/* A number that says it has more zeros than this in front or behind is shown as its bytes: eight of
 * them can ask for a hundred thousand. */
#define ZEROS_MAX 1000

/* ndigits, weight, sign, dscale, then digits of base 10000. */
static bool put_numeric(struct buf *out, const unsigned char *p, size_t len)
{
	int ndigits, weight, dscale, i;
	uint32_t sign;

	if (len < 8)
		return false;
	ndigits = (int)be(p, 2);
	weight = (int16_t)be(p + 2, 2);
	sign = (uint32_t)be(p + 4, 2);
	dscale = (int)be(p + 6, 2);
	if (sign == 0xC000 || sign == 0xD000 || sign == 0xF000) {
		buf_put_str(out, sign == 0xC000	  ? "NaN"
				 : sign == 0xD000 ? "Infinity"
						  : "-Infinity");
		return true;
	}
	if (len != 8 + 2 * (size_t)ndigits || (sign != 0 && sign != 0x4000) || dscale > 0x3FFF)
		return false;
	if (4 * (weight + 1 - ndigits) > ZEROS_MAX ||
		dscale - 4 * (ndigits - weight - 1) > ZEROS_MAX + 3 || -4 * weight > ZEROS_MAX)
		return false;
	for (i = 0; i < ndigits; i++)
		if (be(p + 8 + 2 * i, 2) > 9999)
			return false;
	if (sign)
		buf_put_u8(out, '-');
	if (weight < 0)
		buf_put_u8(out, '0');
	for (i = 0; i <= weight; i++)
		buf_printf(out, i ? "%04d" : "%d", i < ndigits ? (int)be(p + 8 + 2 * i, 2) : 0);
	if (dscale) {
		buf_put_u8(out, '.');
		for (i = weight + 1; dscale > 0; i++, dscale -= 4) {
			char four[8];
			snprintf(four, sizeof four, "%04d",
				i >= 0 && i < ndigits ? (int)be(p + 8 + 2 * i, 2) : 0);
			buf_put(out, four, dscale < 4 ? (size_t)dscale : 4);
		}
	}
	return true;
}

static bool put_int(struct buf *out, const unsigned char *p, size_t len, size_t want)
{
	int64_t v;

	if (len != want)
		return false;
	v = want == 2 ? (int16_t)be(p, 2) : want == 4 ? (int32_t)be(p, 4) : (int64_t)be(p, 8);
	buf_printf(out, "%lld", (long long)v);
	return true;
}

/* --- time ----------------------------------------------------------------- */

#define DAY_USEC 86400000000LL

/* Days since 2000-01-01 to a civil date; year 0 is 1 BC.  The proleptic Gregorian calendar
 * in eras of 400 years that begin on 1 March. */
static void civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 730425; /* from 0000-03-01 */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int64_t)yoe + era * 400 + (*month <= 2);
}

static bool put_ymd(struct buf *out, int64_t days)
{
	int64_t year;
	unsigned month, day;

	civil(days, &year, &month, &day);
	buf_printf(out, "%04lld-%02u-%02u", (long long)(year > 0 ? year : 1 - year), month, day);
	return year > 0;
}

/* HH:MM:SS and as many decimals as the value has. */
static void put_hms(struct buf *out, int64_t us)
{
	int frac = (int)(us % 1000000), digits = 6;

	buf_printf(out, "%02lld:%02lld:%02lld", (long long)(us / 3600000000LL),
		(long long)(us / 60000000 % 60), (long long)(us / 1000000 % 60));
	if (frac == 0)
		return;
	for (; frac % 10 == 0; frac /= 10)
		digits--;
	buf_printf(out, ".%0*d", digits, frac);
}

static bool put_date(struct buf *out, const unsigned char *p, size_t len)
{
	int32_t d;

	if (len != 4)
		return false;
	d = (int32_t)be(p, 4);
	if (d == INT32_MAX || d == INT32_MIN)
		buf_put_str(out, d > 0 ? "infinity" : "-infinity");
	else if (!put_ymd(out, d))
		buf_put_str(out, " BC");
	return true;
}

static bool put_timestamp(struct buf *out, const unsigned char *p, size_t len, bool zone)
{
	int64_t t, days, rest;
	bool ad;

	if (len != 8)
		return false;
	t = (int64_t)be(p, 8);
	if (t == INT64_MAX || t == INT64_MIN) {
		buf_put_str(out, t > 0 ? "infinity" : "-infinity");
		return true;
	}
	days = t / DAY_USEC;
	rest = t % DAY_USEC;
	if (rest < 0) {
		rest += DAY_USEC;
		days--;
	}
	ad = put_ymd(out, days);
	buf_put_u8(out, ' ');
	put_hms(out, rest);
	if (zone)
		buf_put_str(out, "+00");
	if (!ad)
		buf_put_str(out, " BC");
	return true;
}

static bool put_time(struct buf *out, const unsigned char *p, size_t len, bool zone)
{
	int64_t t;
	int32_t west;

	if (len != (zone ? 12 : 8))
		return false;
	t = (int64_t)be(p, 8);
	if (t < 0 || t > DAY_USEC)
		return false;
	put_hms(out, t);
	if (!zone)
		return true;
	west = (int32_t)be(p + 8, 4);
	if (west < -16 * 3600 || west > 16 * 3600)
		return false;
	buf_printf(out, "%c%02d", west > 0 ? '-' : '+', abs(west) / 3600);
	if (abs(west) % 3600)
		buf_printf(out, ":%02d", abs(west) / 60 % 60);
	if (abs(west) % 60)
		buf_printf(out, ":%02d", abs(west) % 60);
	return true;
}

/* A part of an interval: "1 year", "-2 mons"; after a negative part a positive one says +. */
static void put_part(struct buf *out, int64_t v, const char *unit, bool *any, bool *negative)
{
	if (v == 0)
		return;
	buf_printf(out, "%s%s%lld %s%s", *any ? " " : "", *negative && v > 0 ? "+" : "",
		(long long)v, unit, v == 1 ? "" : "s");
	*negative = v < 0;
	*any = true;
}

static bool put_interval(struct buf *out, const unsigned char *p, size_t len)
{
	int64_t us;
	int32_t days, months;
	bool any = false, negative = false;

	if (len != 16)
		return false;
	us = (int64_t)be(p, 8);
	if (us == INT64_MIN)
		return false;
	days = (int32_t)be(p + 8, 4);
	months = (int32_t)be(p + 12, 4);
	put_part(out, months / 12, "year", &any, &negative);
	put_part(out, months % 12, "mon", &any, &negative);
	put_part(out, days, "day", &any, &negative);
	if (us == 0 && any)
		return true;
	if (any)
		buf_put_u8(out, ' ');
	if (us < 0)
		buf_put_u8(out, '-');
	else if (negative)
		buf_put_u8(out, '+');
	put_hms(out, us < 0 ? -us : us);
	return true;
}

/* --- others --------------------------------------------------------------- */

static bool put_uuid(struct buf *out, const unsigned char *p, size_t len)
{
	if (len != 16)
		return false;
	for (int i = 0; i < 16; i++)
		buf_printf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", p[i]);
	return true;
}

/* family (2: v4, 3: v6), bits, is_cidr, length, address */
static bool put_inet(struct buf *out, const unsigned char *p, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	unsigned size;

	if (len < 4 || (p[0] != 2 && p[0] != 3))
		return false;
	size = p[0] == 2 ? 4 : 16;
	if (p[3] != size || len != 4 + size || p[1] > 8 * size)
		return false;
	if (!inet_ntop(p[0] == 2 ? AF_INET : AF_INET6, p + 4, text, sizeof text))
		return false;
	buf_put_str(out, text);
	if (p[2] || p[1] != 8 * size)
		buf_printf(out, "/%u", p[1]);
	return true;
}

void param_hex(struct buf *out, const void *value, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = value;

	buf_put(out, "\\x", 2);
	buf_reserve(out, 2 * len);
	for (size_t i = 0; i < len; i++) {
		out->data[out->len++] = hex[s[i] >> 4];
		out->data[out->len++] = hex[s[i] & 15];
	}
}

/* An array's element, quoted when array_out would. */
static void put_element(struct buf *out, const char *s, size_t len)
{
	bool quote = len == 0 || (len == 4 && strncasecmp(s, "null", 4) == 0);

	for (size_t i = 0; i < len && !quote; i++)
		quote = strchr("\"\\{},", s[i]) || s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r');
	if (!quote) {
		buf_put(out, s, len);
		return;
	}
	buf_put_u8(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\')
			buf_put_u8(out, '\\');
		buf_put_u8(out, (uint8_t)s[i]);
	}
	buf_put_u8(out, '"');
}

#define ARRAY_DIMS 6 /* PostgreSQL's MAXDIM */

/* ndim, has_nulls, element oid, {size, lower bound}[ndim], {length, bytes}[] */
static bool put_array(struct buf *out, const unsigned char *p, size_t len)
{
	const unsigned char *end = p + len;
	uint32_t ndim, oid, size[ARRAY_DIMS], at[ARRAY_DIMS] = {0}, d;
	uint64_t count = 1;
	struct buf text = {0};
	bool ok = true;

	if (len < 12)
		return false;
	ndim = (uint32_t)be(p, 4);
	oid = (uint32_t)be(p + 8, 4);
	if (ndim > ARRAY_DIMS || len < 12 + 8 * (size_t)ndim)
		return false;
	for (d = 0; d < ndim; d++) {
		size[d] = (uint32_t)be(p + 12 + 8 * d, 4);
		if (size[d] == 0 || size[d] > len || be(p + 16 + 8 * d, 4) != 1)
			return false; /* other lower bounds are written [2:3]={…}: rare, shown as
					 hex */
		count *= size[d];
		if (count > len / 4)
			return false;
	}
	p += 12 + 8 * (size_t)ndim;
	if (ndim == 0)
		buf_put_str(out, "{}");
	for (uint64_t i = 0; ndim && i < count && ok; i++) {
		uint32_t n, open = 0;
		while (open < ndim && at[ndim - 1 - open] == 0)
			open++;
		if (i)
			buf_put_u8(out, ',');
		for (d = 0; d < open; d++)
			buf_put_u8(out, '{');
		if (end - p < 4 ||
			((n = (uint32_t)be(p, 4)) != UINT32_MAX && (size_t)(end - p - 4) < n)) {
			ok = false;
			break;
		}
		p += 4;
		if (n == UINT32_MAX) {
			buf_put_str(out, "NULL");
		} else {
			text.len = 0;
			ok = !param_is_array(oid) && param_text(&text, oid, p, n);
			if (ok)
				put_element(out, text.data, text.len);
			p += n;
		}
		for (d = ndim; d > 0 && ++at[d - 1] == size[d - 1]; d--) {
			at[d - 1] = 0;
			buf_put_u8(out, '}');
		}
	}
	buf_free(&text);
	return ok && p == end;
}

/* --- the table ------------------------------------------------------------ */

/* The oids of pg_type that are decoded.  Arrays name their element in the value. */
enum {
	T_BOOL = 16,
	T_BYTEA = 17,
	T_CHAR = 18,
	T_NAME = 19,
	T_INT8 = 20,
	T_INT2 = 21,
	T_INT4 = 23,
	T_TEXT = 25,
	T_OID = 26,
	T_XID = 28,
	T_JSON = 114,
	T_XML = 142,
	T_CIDR = 650,
	T_FLOAT4 = 700,
	T_FLOAT8 = 701,
	T_UNKNOWN = 705,
	T_INET = 869,
	T_BPCHAR = 1042,
	T_VARCHAR = 1043,
	T_DATE = 1082,
	T_TIME = 1083,
	T_TIMESTAMP = 1114,
	T_TIMESTAMPTZ = 1184,
	T_INTERVAL = 1186,
	T_TIMETZ = 1266,
	T_NUMERIC = 1700,
	T_UUID = 2950,
	T_JSONB = 3802,
};

bool param_is_array(uint32_t oid)
{
	/* bool bytea char name int2 int4 text oid bpchar varchar int8 float4 float8 cidr inet
	 * timestamp date time timestamptz interval numeric timetz uuid json jsonb xml */
	static const uint16_t arrays[] = {1000, 1001, 1002, 1003, 1005, 1007, 1009, 1028, 1014,
		1015, 1016, 1021, 1022, 651, 1041, 1115, 1182, 1183, 1185, 1187, 1231, 1270, 2951,
		199, 3807, 143};

	for (size_t i = 0; i < ARRAY_LEN(arrays); i++)
		if (arrays[i] == oid)
			return true;
	return false;
}

static bool put_typed(struct buf *out, uint32_t oid, const unsigned char *p, size_t len)
{
	switch (oid) {
	case T_BOOL:
		if (len != 1)
			return false;
		buf_put_u8(out, *p ? 't' : 'f');
		return true;
	case T_INT2:
		return put_int(out, p, len, 2);
	case T_INT4:
		return put_int(out, p, len, 4);
	case T_INT8:
		return put_int(out, p, len, 8);
	case T_OID:
	case T_XID:
		if (len != 4)
			return false;
		buf_printf(out, "%u", (unsigned)be(p, 4));
		return true;
	case T_FLOAT4:
		return put_float4(out, p, len);
	case T_FLOAT8:
		return put_float8(out, p, len);
	case T_NUMERIC:
		return put_numeric(out, p, len);
	case T_TEXT:
	case T_VARCHAR:
	case T_BPCHAR:
	case T_NAME:
	case T_CHAR:
	case T_UNKNOWN:
	case T_JSON:
	case T_XML:
		buf_put(out, p, len);
		return true;
	case T_JSONB: /* a version, then text */
		if (len < 1 || *p != 1)
			return false;
		buf_put(out, p + 1, len - 1);
		return true;
	case T_BYTEA:
		param_hex(out, p, len);
		return true;
	case T_UUID:
		return put_uuid(out, p, len);
	case T_DATE:
		return put_date(out, p, len);
	case T_TIME:
		return put_time(out, p, len, false);
	case T_TIMETZ:
		return put_time(out, p, len, true);
	case T_TIMESTAMP:
		return put_timestamp(out, p, len, false);
	case T_TIMESTAMPTZ:
		return put_timestamp(out, p, len, true);
	case T_INTERVAL:
		return put_interval(out, p, len);
	case T_INET:
	case T_CIDR:
		return put_inet(out, p, len);
	default:
		return param_is_array(oid) && put_array(out, p, len);
	}
}

bool param_text(struct buf *out, uint32_t oid, const void *value, size_t len)
{
	size_t before = out->len;

	if (put_typed(out, oid, value, len))
		return true;
	out->len = before;
	return false;
}
