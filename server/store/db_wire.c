/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/db_wire.h"

#include <endian.h>
#include <math.h>
#include <string.h>

/* ---- types ----------------------------------------------------------------- */

static const struct type {
    char letter;
    unsigned oid;
    unsigned array_oid;
} types[] = {
    {'i', 20, 1016}, {'d', 23, 1007},   {'f', 701, 1022},  {'b', 16, 1000},   {'t', 25, 1009},
    {'x', 17, 1001}, {'z', 1184, 1185}, {'j', 3802, 3807}, {'u', 2950, 2951},
};

unsigned db_type_oid(char letter)
{
    bool array = letter >= 'A' && letter <= 'Z';
    char lower = array ? (char)(letter - 'A' + 'a') : letter;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].letter == lower)
            return array ? types[i].array_oid : types[i].oid;
    }
    return 0;
}
/* ---- parameters ------------------------------------------------------------ */

static struct db_param *param_next(struct db_params *params, char type)
{
    static _Thread_local struct db_param overflow; /* count tells db_exec, which refuses */
    struct db_param *param = params->count < DB_PARAMS_MAX ? &params->at[params->count] : &overflow;
    params->count++;
    *param = (struct db_param){.type = type};
    return param;
}

void db_p_i64(struct db_params *params, int64_t value)
{
    param_next(params, 'i')->number = value;
}

void db_p_i32(struct db_params *params, int32_t value)
{
    param_next(params, 'd')->number = value;
}

void db_p_f64(struct db_params *params, double value)
{
    struct db_param *param = param_next(params, 'f');
    param->real = value;
    param->is_null = isnan(value);
}

void db_p_bool(struct db_params *params, bool value)
{
    param_next(params, 'b')->number = value;
}

static void param_text(struct db_params *params, char type, const char *value)
{
    struct db_param *param = param_next(params, type);
    param->data = value;
    param->length = value == NULL ? 0 : strlen(value);
    param->is_null = value == NULL;
}

void db_p_text(struct db_params *params, const char *value)
{
    param_text(params, 't', value);
}

void db_p_json(struct db_params *params, const char *value)
{
    param_text(params, 'j', value);
}

void db_p_bytes(struct db_params *params, const void *data, size_t length)
{
    struct db_param *param = param_next(params, 'x');
    param->data = data;
    param->length = length;
    param->is_null = data == NULL;
}

void db_p_time(struct db_params *params, int64_t us)
{
    struct db_param *param = param_next(params, 'z');
    param->number = us;
    param->is_null = us == TIME_UNKNOWN;
}

void db_p_null(struct db_params *params, char type)
{
    param_next(params, type)->is_null = true;
}

static struct db_param *param_array(struct db_params *params, char type, const void *values,
                                    size_t count)
{
    struct db_param *param = param_next(params, type);
    param->data = values;
    param->length = count;
    return param;
}

void db_p_i64_array(struct db_params *params, const int64_t *values, size_t count)
{
    param_array(params, 'I', values, count);
}

void db_p_f64_array(struct db_params *params, const double *values, size_t count)
{
    param_array(params, 'F', values, count);
}

void db_p_bool_array(struct db_params *params, const bool *values, size_t count)
{
    param_array(params, 'B', values, count);
}

void db_p_time_array(struct db_params *params, const int64_t *values, size_t count)
{
    param_array(params, 'Z', values, count);
}

void db_p_text_array(struct db_params *params, const char *const *values, size_t count)
{
    param_array(params, 'T', values, count);
}

void db_p_bytes_array(struct db_params *params, const void *const *data, const size_t *lengths,
                      size_t count)
{
    param_array(params, 'X', data, count)->lengths = lengths;
}

/* ---- parameters to wire ---------------------------------------------------- */

static void put_u32(struct strbuf *out, uint32_t value)
{
    value = htobe32(value);
    strbuf_add(out, &value, 4);
}

static void put_u64(struct strbuf *out, uint64_t value)
{
    value = htobe64(value);
    strbuf_add(out, &value, 8);
}

static void put_f64(struct strbuf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_u64(out, bits);
}

static void put_null(struct strbuf *out)
{
    put_u32(out, UINT32_MAX);
}

static void put_sized(struct strbuf *out, const void *data, size_t length)
{
    if (data == NULL) {
        put_null(out);
        return;
    }
    put_u32(out, (uint32_t)length);
    strbuf_add(out, data, length);
}

static void put_element(struct strbuf *out, const struct db_param *param, size_t i)
{
    switch (param->type) {
    case 'I':
    case 'Z': {
        int64_t value = ((const int64_t *)param->data)[i];
        if (value == INT64_MIN) { /* also TIME_UNKNOWN */
            put_null(out);
            break;
        }
        put_u32(out, 8);
        put_u64(out, (uint64_t)value - (param->type == 'Z' ? (uint64_t)DB_EPOCH_US : 0));
        break;
    }
    case 'F': {
        double value = ((const double *)param->data)[i];
        if (isnan(value)) {
            put_null(out);
            break;
        }
        put_u32(out, 8);
        put_f64(out, value);
        break;
    }
    case 'B':
        put_u32(out, 1);
        strbuf_putc(out, ((const bool *)param->data)[i] ? 1 : 0);
        break;
    case 'T': {
        const char *text = ((const char *const *)param->data)[i];
        put_sized(out, text, text == NULL ? 0 : strlen(text));
        break;
    }
    default: /* 'X' */
        put_sized(out, ((const void *const *)param->data)[i], param->lengths[i]);
    }
}

static void put_array(struct strbuf *out, const struct db_param *param)
{
    put_u32(out, param->length == 0 ? 0 : 1); /* dimensions */
    put_u32(out, 1);                          /* may hold NULLs */
    put_u32(out, db_type_oid((char)(param->type - 'A' + 'a')));
    if (param->length == 0)
        return;
    put_u32(out, (uint32_t)param->length);
    put_u32(out, 1); /* lower bound */
    for (size_t i = 0; i < param->length; i++)
        put_element(out, param, i);
}

static bool put_uuid(struct strbuf *out, const char *text)
{
    unsigned char bytes[16];
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        int value = *text >= '0' && *text <= '9'   ? *text - '0'
                    : *text >= 'a' && *text <= 'f' ? *text - 'a' + 10
                    : *text >= 'A' && *text <= 'F' ? *text - 'A' + 10
                                                   : -1;
        if (value < 0 && *text == '-')
            continue;
        if (value < 0 || digits == 32)
            return false;
        unsigned high = digits % 2 == 0 ? 0 : bytes[digits / 2];
        bytes[digits / 2] = (unsigned char)(high << 4 | (unsigned)value);
        digits++;
    }
    strbuf_add(out, bytes, sizeof bytes);
    return digits == 32;
}

static bool put_param(struct strbuf *out, const struct db_param *param)
{
    switch (param->type) {
    case 'i':
        put_u64(out, (uint64_t)param->number);
        return true;
    case 'z':
        put_u64(out, (uint64_t)param->number - (uint64_t)DB_EPOCH_US);
        return true;
    case 'd':
        put_u32(out, (uint32_t)param->number);
        return true;
    case 'f':
        put_f64(out, param->real);
        return true;
    case 'b':
        strbuf_putc(out, param->number != 0 ? 1 : 0);
        return true;
    case 'j':
        strbuf_putc(out, 1); /* version of the binary form */
        strbuf_add(out, param->data, param->length);
        return true;
    case 't':
    case 'x':
        strbuf_add(out, param->data, param->length);
        return true;
    case 'u':
        return put_uuid(out, param->data);
    default:
        put_array(out, param);
        return true;
    }
}

enum status db_wire_params(const struct stmt *stmt, const struct db_params *params,
                           struct strbuf *buf, struct db_wire *ret_wire, struct err *err)
{
    size_t starts[DB_PARAMS_MAX];
    size_t count = params == NULL ? 0 : params->count;
    if (count > DB_PARAMS_MAX || count != strlen(stmt->params))
        return err_set(err, ST_BUG, "statement \"%s\" takes %zu parameters, not %zu", stmt->name,
                       strlen(stmt->params), count);
    for (size_t i = 0; i < count; i++) {
        const struct db_param *param = &params->at[i];
        /* Text may stand for a uuid: both travel as text in our structs. */
        bool uuid = stmt->params[i] == 'u' && param->type == 't';
        if (param->type != stmt->params[i] && !uuid)
            return err_set(err, ST_BUG, "parameter %zu of statement \"%s\" has type %c, not %c",
                           i + 1, stmt->name, param->type, stmt->params[i]);
        struct db_param typed = *param;
        typed.type = stmt->params[i];
        starts[i] = buf->length;
        if (!param->is_null && !put_param(buf, &typed))
            return err_set(err, ST_INVALID, "parameter %zu of statement \"%s\" is no uuid", i + 1,
                           stmt->name);
        size_t length = buf->length - starts[i];
        if (strbuf_failed(buf) || length > INT32_MAX)
            return err_set(err, ST_NOMEM, "could not run statement \"%s\": out of memory",
                           stmt->name);
        ret_wire->lengths[i] = (int)length;
        ret_wire->formats[i] = 1;
    }
    strbuf_add(buf, "", 0); /* data is not NULL, also when every value is empty */
    for (size_t i = 0; i < count; i++)
        ret_wire->values[i] = params->at[i].is_null ? NULL : buf->data + starts[i];
    return strbuf_failed(buf) ? err_set(err, ST_NOMEM, "out of memory") : ST_OK;
}
