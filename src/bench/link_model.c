#include "bench/link_model.h"
#include "base/err.h"

#define STEP          UINT64_C(0x9e3779b97f4a7c15)
#define LOSSES_IN_ROW 16
#define WHOLE_MAXIMUM 1000000
#define DECIMALS      6

static const struct unit {
    struct span text;
    double factor;
    enum { UNIT_TIME, UNIT_LOSS, UNIT_BANDWIDTH } kind;
} units[] = {
    {{(const uint8_t *)"us", 2}, 1e3, UNIT_TIME},
    {{(const uint8_t *)"ms", 2}, 1e6, UNIT_TIME},
    {{(const uint8_t *)"s", 1}, 1e9, UNIT_TIME},
    {{(const uint8_t *)"%", 1}, 0.01, UNIT_LOSS},
    {{(const uint8_t *)"kbit", 4}, 1e3, UNIT_BANDWIDTH},
    {{(const uint8_t *)"mbit", 4}, 1e6, UNIT_BANDWIDTH},
    {{(const uint8_t *)"gbit", 4}, 1e9, UNIT_BANDWIDTH},
};

static size_t count_digits(struct span text)
{
    size_t count = 0;

    while (count < text.length && text.data[count] >= '0' && text.data[count] <= '9')
        count++;
    return count;
}

/* "12" or "0.5"; `*rest` is what follows. */
static int read_number(struct span text, double *number, struct span *rest)
{
    size_t digits = count_digits(text);
    uint64_t value;

    if (span_to_unsigned(span_slice(text, 0, digits), WHOLE_MAXIMUM, &value) != 0)
        return HERALD_ERROR_INVALID;
    *number = (double)value;
    *rest = span_slice(text, digits, text.length);
    if (rest->length == 0 || rest->data[0] != '.')
        return 0;
    *rest = span_slice(*rest, 1, rest->length);
    digits = count_digits(*rest);
    if (digits == 0 || digits > DECIMALS)
        return HERALD_ERROR_INVALID;
    double place = 0.1;
    for (size_t i = 0; i < digits; i++, place /= 10)
        *number += (rest->data[i] - '0') * place;
    *rest = span_slice(*rest, digits, rest->length);
    return 0;
}

static int read_part(struct link_model *model, struct span text, unsigned *seen)
{
    struct span rest;
    double number;

    if (read_number(text, &number, &rest) != 0)
        return HERALD_ERROR_INVALID;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        const struct unit *unit = &units[i];
        if (!span_equals_ignoring_case(rest, unit->text))
            continue;
        if (*seen & (1u << unit->kind))
            return HERALD_ERROR_INVALID;
        *seen |= 1u << unit->kind;
        if (unit->kind == UNIT_TIME)
            model->round_trip = (herald_time)(number * unit->factor);
        else if (unit->kind == UNIT_LOSS)
            model->loss = number * unit->factor;
        else
            model->bandwidth = number * unit->factor;
        bool sound = unit->kind != UNIT_BANDWIDTH || number > 0;
        return sound && model->loss <= 0.5 && model->round_trip <= 60 * HERALD_SECOND
                   ? 0
                   : HERALD_ERROR_INVALID;
    }
    return HERALD_ERROR_INVALID;
}

int link_model_parse(struct link_model *model, struct span text)
{
    unsigned seen = 0;

    do {
        const uint8_t *comma = text.length == 0 ? NULL : memchr(text.data, ',', text.length);
        size_t length = comma == NULL ? text.length : (size_t)(comma - text.data);
        if (read_part(model, span_slice(text, 0, length), &seen) != 0)
            return HERALD_ERROR_INVALID;
        if (comma == NULL)
            return 0;
        text = span_slice(text, length + 1, text.length);
    } while (true);
}

/* SplitMix64 (Steele, Lea, Flood 2014): from 0 to less than 1. */
static double next_random(uint64_t *state)
{
    uint64_t value = *state += STEP;

    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((value ^ (value >> 31)) >> 11) / (double)(UINT64_C(1) << 53);
}

void link_flow_init(const struct link_model *model, struct link_flow *flow, uint64_t number,
                    herald_time ready)
{
    *flow = (struct link_flow){.random = model->seed * STEP + (number << 32), .ready = ready};
}

static herald_time later(herald_time left, herald_time right)
{
    return left > right ? left : right;
}

herald_time link_flow_send(const struct link_model *model, struct link_direction *direction,
                           struct link_flow *flow, size_t length, herald_time now)
{
    herald_time cost =
        model->bandwidth == 0
            ? 0
            : (herald_time)((double)length * 8 / model->bandwidth * (double)HERALD_SECOND);
    herald_time leaves = later(later(now, flow->ready), direction->free_at) + cost;

    direction->free_at = leaves;
    for (unsigned losses = 0; losses < LOSSES_IN_ROW && next_random(&flow->random) < model->loss;
         losses++) {
        leaves += model->round_trip + cost;
        direction->free_at += cost;
    }
    flow->arrival = later(flow->arrival, leaves + model->round_trip / 2);
    return flow->arrival;
}
