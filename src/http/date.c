#include "http/date.h"
#include "base/err.h"

#define DAY          INT64_C(86400)
#define FIRST_SECOND (INT64_C(-719162) * DAY)     /* 0001-01-01 */
#define LAST_SECOND  (INT64_C(2932897) * DAY - 1) /* 9999-12-31T23:59:59 */
#define FIFTY_YEARS  (INT64_C(18262) * DAY)

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
static const char long_day_names[7][10] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                           "Monday",   "Tuesday", "Wednesday"};

/* Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that
 * the leap day comes last. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;

    *day = (unsigned)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (unsigned)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static void put_digits(char *text, unsigned value, unsigned count)
{
    while (count-- != 0) {
        text[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void date_format(int64_t seconds, char text[DATE_LENGTH])
{
    int year;
    unsigned month, day;

    if (seconds < FIRST_SECOND)
        seconds = FIRST_SECOND;
    if (seconds > LAST_SECOND)
        seconds = LAST_SECOND;
    int64_t days = seconds >= 0 ? seconds / DAY : -((DAY - 1 - seconds) / DAY);
    unsigned second = (unsigned)(seconds - days * DAY);
    civil_from_days(days, &year, &month, &day);

    memcpy(text, "Thu, 01 Jan 1970 00:00:00 GMT", DATE_LENGTH);
    memcpy(text, day_names[((days % 7) + 7) % 7], 3);
    put_digits(text + 5, day, 2);
    memcpy(text + 8, month_names[month - 1], 3);
    put_digits(text + 12, (unsigned)year, 4);
    put_digits(text + 17, second / 3600, 2);
    put_digits(text + 20, second / 60 % 60, 2);
    put_digits(text + 23, second % 60, 2);
}

struct moment {
    int64_t year;
    unsigned month, day, hour, minute, second;
};

/* What is left to read; a failed step makes it invalid for good. */
struct reader {
    struct span rest;
    bool failed;
};

static void expect(struct reader *reader, const char *text)
{
    struct span wanted = span_from_text(text);

    if (!span_starts_with(reader->rest, wanted))
        reader->failed = true;
    else
        reader->rest = span_slice(reader->rest, wanted.length, reader->rest.length);
}

static unsigned number(struct reader *reader, size_t digits)
{
    uint64_t value = 0;

    if (reader->rest.length < digits ||
        span_to_unsigned(span_slice(reader->rest, 0, digits), 9999, &value) != 0)
        reader->failed = true;
    reader->rest = span_slice(reader->rest, digits, reader->rest.length);
    return (unsigned)value;
}

/* The index of the name that comes next, of `count` names at `stride` bytes. */
static unsigned name(struct reader *reader, const char *names, size_t stride, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct span candidate = span_from_text(names + i * stride);
        if (span_starts_with(reader->rest, candidate)) {
            reader->rest = span_slice(reader->rest, candidate.length, reader->rest.length);
            return i;
        }
    }
    reader->failed = true;
    return 0;
}

static void time_of_day(struct reader *reader, struct moment *moment)
{
    moment->hour = number(reader, 2);
    expect(reader, ":");
    moment->minute = number(reader, 2);
    expect(reader, ":");
    moment->second = number(reader, 2);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static void read_fixdate(struct reader *reader, struct moment *moment)
{
    name(reader, day_names[0], sizeof(day_names[0]), 7);
    expect(reader, ", ");
    moment->day = number(reader, 2);
    expect(reader, " ");
    moment->month = name(reader, month_names[0], sizeof(month_names[0]), 12) + 1;
    expect(reader, " ");
    moment->year = number(reader, 4);
    expect(reader, " ");
    time_of_day(reader, moment);
    expect(reader, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static void read_rfc850(struct reader *reader, struct moment *moment)
{
    name(reader, long_day_names[0], sizeof(long_day_names[0]), 7);
    expect(reader, ", ");
    moment->day = number(reader, 2);
    expect(reader, "-");
    moment->month = name(reader, month_names[0], sizeof(month_names[0]), 12) + 1;
    expect(reader, "-");
    moment->year = number(reader, 2);
    expect(reader, " ");
    time_of_day(reader, moment);
    expect(reader, " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static void read_asctime(struct reader *reader, struct moment *moment)
{
    name(reader, day_names[0], sizeof(day_names[0]), 7);
    expect(reader, " ");
    moment->month = name(reader, month_names[0], sizeof(month_names[0]), 12) + 1;
    expect(reader, " ");
    if (span_starts_with(reader->rest, SPAN_LITERAL(" "))) {
        expect(reader, " ");
        moment->day = number(reader, 1);
    } else {
        moment->day = number(reader, 2);
    }
    expect(reader, " ");
    time_of_day(reader, moment);
    expect(reader, " ");
    moment->year = number(reader, 4);
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (month == 2)
        return leap ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static int64_t to_seconds(const struct moment *moment)
{
    return days_from_civil(moment->year, moment->month, moment->day) * DAY + moment->hour * 3600 +
           moment->minute * 60 + moment->second;
}

int date_parse(struct span text, int64_t now, int64_t *seconds)
{
    struct reader reader = {text, false};
    struct moment moment = {0};
    bool short_year = false;

    if (text.length > 3 && text.data[3] == ',') {
        read_fixdate(&reader, &moment);
    } else if (text.length > 3 && text.data[3] == ' ') {
        read_asctime(&reader, &moment);
    } else {
        read_rfc850(&reader, &moment);
        short_year = true;
    }
    if (reader.failed || reader.rest.length != 0 || moment.day == 0 || moment.hour > 23 ||
        moment.minute > 59 || moment.second > 60)
        return HERALD_ERROR_INVALID;
    if (short_year) {
        int year;
        unsigned ignored;
        civil_from_days(now / DAY, &year, &ignored, &ignored);
        moment.year += year - year % 100;
        if (to_seconds(&moment) > now + FIFTY_YEARS)
            moment.year -= 100;
    }
    if (moment.year == 0 || moment.day > days_in_month(moment.year, moment.month))
        return HERALD_ERROR_INVALID;
    *seconds = to_seconds(&moment);
    return 0;
}
