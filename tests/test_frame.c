/* test_frame.c - each message comes back as it was sent; damage is found. */
#include "alloc.h"
#include "bytes.h"
#include "check.h"
#include "frame.h"
#include "pack.h"

#include <stdlib.h>
#include <string.h>

static const struct cadre_msg_hello hello = {.version = "0.1.0",
                                             .host = "node17",
                                             .pid_namespace = 4026531836,
                                             .pid = 4711,
                                             .bell_fd = -1,
                                             .bell_base = 3,
                                             .spin_us = 50,
                                             .beat_ms = 250,
                                             .silence_ms = 5000};
static const struct cadre_msg_welcome welcome = {.version = "0.1.0",
                                                 .host = "node18",
                                                 .pid_namespace = 4026531837,
                                                 .pid = 4712,
                                                 .has_bell = 1,
                                                 .has_pulse = 1};
static const struct cadre_msg_refuse refuse = {.err = CADRE_EVERSION,
                                               .text = "too old"};
static const struct cadre_msg_function function = {
    .id = 7,
    .library = "libm.so.6",
    .symbol = "lgamma",
    .written = "double lgamma(double x)",
    .expanded = ""};
static const struct cadre_msg_batch batch = {
    .job = 12, .first = 1000, .count = 3, .function = 7, .team = 3};
static const struct cadre_msg_results results = {.job = 12, .first = 1000};
static const struct cadre_failure failures[] = {
    {1000, CADRE_ETASK, -5, 1, "no convergence"},
    {1002, CADRE_ELOST, 0, 0, ""},
};
static const unsigned char payload[] = "some columns";

/* Decode the first frame of `buffer`. */
static struct cadre_frame first_frame(const struct cadre_buffer *buffer)
{
    struct cadre_frame frame = {0};

    CU_ASSERT_EQUAL_FATAL(
        cadre_frame_decode(buffer->data, buffer->len, &frame, NULL), CADRE_OK);
    return frame;
}

static cadre_err put_payload(struct cadre_buffer *buffer)
{
    if (cadre_buffer_reserve(buffer, sizeof payload) != CADRE_OK)
        return CADRE_ENOMEM;
    memcpy(buffer->data + buffer->len, payload, sizeof payload);
    buffer->len += sizeof payload;
    return CADRE_OK;
}

static cadre_err encode_batch(struct cadre_buffer *buffer)
{
    size_t mark;

    if (cadre_batch_begin(&batch, 9, buffer, &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    if (put_payload(buffer) == CADRE_OK &&
        cadre_batch_end(buffer, mark) == CADRE_OK)
        return CADRE_OK;
    cadre_frame_abort(buffer, mark);
    return CADRE_ENOMEM;
}

static cadre_err encode_results(struct cadre_buffer *buffer)
{
    size_t mark;

    if (cadre_results_begin(&results, 9, buffer, &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    if (cadre_failure_add(&failures[0], buffer, mark) == CADRE_OK &&
        cadre_failure_add(&failures[1], buffer, mark) == CADRE_OK &&
        cadre_results_outputs(buffer, mark) == CADRE_OK &&
        put_payload(buffer) == CADRE_OK &&
        cadre_results_end(buffer, mark, 3, 123456789) == CADRE_OK)
        return CADRE_OK;
    cadre_frame_abort(buffer, mark);
    return CADRE_ENOMEM;
}

static cadre_err encode_hello(struct cadre_buffer *buffer)
{
    return cadre_hello_encode(&hello, 9, buffer);
}

static cadre_err encode_welcome(struct cadre_buffer *buffer)
{
    return cadre_welcome_encode(&welcome, 9, buffer);
}

static cadre_err encode_refuse(struct cadre_buffer *buffer)
{
    return cadre_refuse_encode(&refuse, 9, buffer);
}

static cadre_err encode_function(struct cadre_buffer *buffer)
{
    return cadre_function_encode(&function, 9, buffer);
}

static cadre_err encode_bye(struct cadre_buffer *buffer)
{
    return cadre_bye_encode(9, buffer);
}

static cadre_err encode_team(struct cadre_buffer *buffer)
{
    unsigned char members[12];
    struct cadre_msg_team msg = {.team = 3,
                                 .object = 2,
                                 .rank = 1,
                                 .size = 3,
                                 .has_all = 1,
                                 .cpu_ms = 1500,
                                 .memory = UINT64_C(3) << 40,
                                 .members = members,
                                 .place = (const unsigned char *)"cores 0-3",
                                 .place_len = 9};

    for (uint32_t i = 0; i < 3; i++)
        cadre_team_put_member(members, i, 10 + i);
    return cadre_team_encode(&msg, 9, buffer);
}

static cadre_err encode_ready(struct cadre_buffer *buffer)
{
    return cadre_ready_encode(
        &(struct cadre_msg_ready){
            .team = 3, .err = CADRE_ETASK, .kind = -5, .text = "no licence"},
        9, buffer);
}

static cadre_err encode_init(struct cadre_buffer *buffer)
{
    return cadre_init_encode(&(struct cadre_msg_init){.team = 3, .function = 7},
                             9, buffer);
}

static cadre_err encode_disband(struct cadre_buffer *buffer)
{
    return cadre_disband_encode(&(struct cadre_msg_end){.number = 3}, 9,
                                buffer);
}

static cadre_err encode_close(struct cadre_buffer *buffer)
{
    return cadre_close_encode(&(struct cadre_msg_end){.number = 2}, 9, buffer);
}

static cadre_err encode_news(struct cadre_buffer *buffer)
{
    return cadre_news_encode(
        &(struct cadre_msg_news){
            .job = 12, .row = 1001, .progress = 0.25, .text = "step 5"},
        9, buffer);
}

static cadre_err encode_store_put(struct cadre_buffer *buffer)
{
    static const unsigned char value[5] = {1, 2, 3, 4, 5};

    return cadre_store_put_encode(
        &(struct cadre_msg_store_put){
            .team = 4, .data = value, .len = sizeof value},
        9, buffer);
}

static const double letter_array[] = {0.5, -2};
static const int32_t letter_number = -7;
static const struct cadre_msg_letter letter = {
    .tag = -3,
    .count = 5,
    .parts = {{CADRE_INT32, false, 1, &letter_number},
              {CADRE_DOUBLE, true, 2, letter_array},
              {CADRE_STRING, false, 1, "step"},
              {CADRE_STRING, false, 1, NULL},
              {CADRE_UINT8, true, 0, NULL}}};

static cadre_err encode_letter(struct cadre_buffer *buffer)
{
    return cadre_letter_encode(&letter, 9, buffer);
}

static cadre_err encode_pulse(struct cadre_buffer *buffer)
{
    return cadre_pulse_encode(
        &(struct cadre_msg_pulse){.kind = CADRE_PULSE_KIND_END}, 9, buffer);
}

/* In the order of enum cadre_frame_type, from 1; with a gap before LETTER. */
static cadre_err (*const encoders[])(struct cadre_buffer *) = {
    encode_hello, encode_welcome,   encode_refuse,  encode_function,
    encode_batch, encode_results,   encode_bye,     encode_team,
    encode_ready, encode_init,      encode_disband, encode_close,
    encode_news,  encode_store_put, encode_letter,  encode_pulse};

enum { NTYPES = sizeof encoders / sizeof encoders[0] };

/* Decode the body of `frame`, whatever it is. */
static cadre_err decode(const struct cadre_frame *frame,
                        struct cadre_error *error)
{
    struct cadre_msg_hello h;
    struct cadre_msg_welcome w;
    struct cadre_msg_refuse x;
    struct cadre_msg_function f;
    struct cadre_msg_batch b;
    struct cadre_msg_results r;
    struct cadre_msg_team t;
    struct cadre_msg_ready y;
    struct cadre_msg_init i;
    struct cadre_msg_end e;
    struct cadre_msg_news n;
    struct cadre_msg_letter l;
    struct cadre_msg_store_put p;
    struct cadre_msg_pulse u;

    switch (frame->type) {
    case CADRE_FRAME_HELLO:
        return cadre_hello_decode(frame, &h, error);
    case CADRE_FRAME_WELCOME:
        return cadre_welcome_decode(frame, &w, error);
    case CADRE_FRAME_REFUSE:
        return cadre_refuse_decode(frame, &x, error);
    case CADRE_FRAME_FUNCTION:
        return cadre_function_decode(frame, &f, error);
    case CADRE_FRAME_BATCH:
        return cadre_batch_decode(frame, &b, error);
    case CADRE_FRAME_RESULTS:
        return cadre_results_decode(frame, &r, error);
    case CADRE_FRAME_TEAM:
        return cadre_team_decode(frame, &t, error);
    case CADRE_FRAME_READY:
        return cadre_ready_decode(frame, &y, error);
    case CADRE_FRAME_INIT:
        return cadre_init_decode(frame, &i, error);
    case CADRE_FRAME_DISBAND:
    case CADRE_FRAME_CLOSE:
        return cadre_end_decode(frame, &e, error);
    case CADRE_FRAME_NEWS:
        return cadre_news_decode(frame, &n, error);
    case CADRE_FRAME_LETTER:
        return cadre_letter_decode(frame, &l, error);
    case CADRE_FRAME_STORE_PUT:
        return cadre_store_put_decode(frame, &p, error);
    case CADRE_FRAME_PULSE:
        return cadre_pulse_decode(frame, &u, error);
    case CADRE_FRAME_BYE:
        return CADRE_OK;
    }
    return CADRE_EPROTO;
}

static void a_value_comes_back(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_store_put msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_store_put(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_store_put_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.team, 4);
    CU_ASSERT_EQUAL(msg.len, 5);
    CU_ASSERT_EQUAL(msg.data[4], 5);
    CU_ASSERT_EQUAL((uintptr_t)msg.data % CADRE_FRAME_ALIGN, 0);
    CU_ASSERT_EQUAL(buffer.bulks.count, 0);
    cadre_buffer_fini(&buffer);
}

static void a_large_value_goes_beside_its_frame(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_keeper keeper = {0};
    struct cadre_msg_store_put msg = {.team = 4,
                                      .data = calloc(1, CADRE_BULK_MIN),
                                      .len = CADRE_BULK_MIN,
                                      .keeper = &keeper};
    const unsigned char *value = msg.data;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(cadre_store_put_encode(&msg, 9, &buffer), CADRE_OK);
    CU_ASSERT_EQUAL(keeper.count, 1);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL(cadre_store_put_decode(&frame, &msg, NULL), CADRE_EPROTO);
    frame.bulks = &buffer.bulks;
    CU_ASSERT_EQUAL(cadre_store_put_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_PTR_EQUAL(msg.data, value);
    buffer.bulks.list[0].len++;
    CU_ASSERT_EQUAL(cadre_store_put_decode(&frame, &msg, NULL), CADRE_EPROTO);
    cadre_frame_abort(&buffer, 0);
    CU_ASSERT_EQUAL(keeper.count, 0);
    cadre_buffer_fini(&buffer);
    free((void *)(uintptr_t)value);
}

static void hello_comes_back(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_hello msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_hello(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_hello_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(frame.generation, 9);
    CU_ASSERT_STRING_EQUAL(msg.version, "0.1.0");
    CU_ASSERT_STRING_EQUAL(msg.host, "node17");
    CU_ASSERT_EQUAL(msg.pid_namespace, 4026531836);
    CU_ASSERT_EQUAL(msg.pid, 4711);
    CU_ASSERT_EQUAL(msg.bell_fd, -1);
    CU_ASSERT_EQUAL(msg.bell_base, 3);
    CU_ASSERT_EQUAL(msg.spin_us, 50);
    CU_ASSERT_EQUAL(msg.beat_ms, 250);
    CU_ASSERT_EQUAL(msg.silence_ms, 5000);
    cadre_buffer_fini(&buffer);
}

static void welcome_comes_back(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_welcome msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_welcome(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_welcome_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_STRING_EQUAL(msg.version, "0.1.0");
    CU_ASSERT_STRING_EQUAL(msg.host, "node18");
    CU_ASSERT_EQUAL(msg.pid_namespace, 4026531837);
    CU_ASSERT_EQUAL(msg.pid, 4712);
    CU_ASSERT_EQUAL(msg.has_bell, 1);
    CU_ASSERT_EQUAL(msg.has_pulse, 1);
    cadre_buffer_fini(&buffer);
}

static void a_pulse_comes_back(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_pulse msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_pulse(&buffer), CADRE_OK);
    CU_ASSERT_EQUAL(buffer.len, CADRE_PULSE_LEN);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_pulse_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.kind, CADRE_PULSE_KIND_END);
    cadre_buffer_fini(&buffer);
}

static void refuse_comes_back(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_refuse msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_refuse(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_refuse_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.err, CADRE_EVERSION);
    CU_ASSERT_STRING_EQUAL(msg.text, "too old");
    cadre_buffer_fini(&buffer);
}

static void function_comes_back(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_function msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_function(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_function_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.id, 7);
    CU_ASSERT_STRING_EQUAL(msg.library, "libm.so.6");
    CU_ASSERT_STRING_EQUAL(msg.symbol, "lgamma");
    CU_ASSERT_STRING_EQUAL(msg.written, "double lgamma(double x)");
    CU_ASSERT_STRING_EQUAL(msg.expanded, "");
    cadre_buffer_fini(&buffer);
}

static void team_comes_back_with_its_members(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_team msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_team(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_team_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.team, 3);
    CU_ASSERT_EQUAL(msg.object, 2);
    CU_ASSERT_EQUAL(msg.rank, 1);
    CU_ASSERT_EQUAL_FATAL(msg.size, 3);
    CU_ASSERT_EQUAL(msg.has_all, 1);
    CU_ASSERT_EQUAL(msg.isolates, 0);
    CU_ASSERT_EQUAL(msg.cpu_ms, 1500);
    CU_ASSERT_EQUAL(msg.memory, UINT64_C(3) << 40);
    CU_ASSERT_EQUAL(cadre_team_member(&msg, 0), 10);
    CU_ASSERT_EQUAL(cadre_team_member(&msg, 2), 12);
    CU_ASSERT_EQUAL_FATAL(msg.place_len, 9);
    CU_ASSERT_EQUAL(memcmp(msg.place, "cores 0-3", 9), 0);
    cadre_buffer_fini(&buffer);
}

static void only_teams_of_one_run_tasks_apart(void)
{
    unsigned char members[8] = {0};
    struct cadre_msg_team msg = {
        .team = 3, .object = 2, .size = 1, .isolates = 1, .members = members};
    struct cadre_buffer buffer = {0};
    struct cadre_error error;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(cadre_team_encode(&msg, 9, &buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL(cadre_team_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.isolates, 1);
    buffer.len = 0;
    msg.size = 2;
    msg.members = members;
    CU_ASSERT_EQUAL_FATAL(cadre_team_encode(&msg, 9, &buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL(cadre_team_decode(&frame, &msg, &error), CADRE_EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "isolates"));
    cadre_buffer_fini(&buffer);
}

static void ready_init_ends_and_news_come_back(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_ready ready;
    struct cadre_msg_init init;
    struct cadre_msg_end ending;
    struct cadre_msg_news news;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_ready(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_ready_decode(&frame, &ready, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(ready.team, 3);
    CU_ASSERT_EQUAL(ready.err, CADRE_ETASK);
    CU_ASSERT_EQUAL(ready.kind, -5);
    CU_ASSERT_STRING_EQUAL(ready.text, "no licence");
    buffer.len = 0;
    CU_ASSERT_EQUAL_FATAL(encode_init(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_init_decode(&frame, &init, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(init.team, 3);
    CU_ASSERT_EQUAL(init.function, 7);
    buffer.len = 0;
    CU_ASSERT_EQUAL_FATAL(encode_close(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_end_decode(&frame, &ending, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(ending.number, 2);
    buffer.len = 0;
    CU_ASSERT_EQUAL_FATAL(encode_news(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_news_decode(&frame, &news, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(news.row, 1001);
    CU_ASSERT_EQUAL(news.progress, 0.25);
    CU_ASSERT_STRING_EQUAL(news.text, "step 5");
    cadre_buffer_fini(&buffer);
}

static void batch_comes_back_with_its_arguments(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_batch msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_batch(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_batch_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.job, 12);
    CU_ASSERT_EQUAL(msg.first, 1000);
    CU_ASSERT_EQUAL(msg.count, 3);
    CU_ASSERT_EQUAL(msg.function, 7);
    CU_ASSERT_EQUAL_FATAL(msg.args_len, sizeof payload);
    CU_ASSERT_EQUAL(memcmp(msg.args, payload, sizeof payload), 0);
    CU_ASSERT_EQUAL((uintptr_t)msg.args % CADRE_FRAME_ALIGN, 0);
    cadre_buffer_fini(&buffer);
}

static void results_come_back_with_failures_and_outputs(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_results msg;
    struct cadre_failure failure;
    struct cadre_frame frame;
    size_t at = 0;

    CU_ASSERT_EQUAL_FATAL(encode_results(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_results_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.job, 12);
    CU_ASSERT_EQUAL(msg.first, 1000);
    CU_ASSERT_EQUAL(msg.count, 3);
    CU_ASSERT_EQUAL(msg.elapsed_ns, 123456789);
    CU_ASSERT_EQUAL(msg.nfailures, 2);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_TRUE_FATAL(cadre_failure_next(&msg, &at, &failure));
        CU_ASSERT_EQUAL(failure.row, failures[i].row);
        CU_ASSERT_EQUAL(failure.err, failures[i].err);
        CU_ASSERT_EQUAL(failure.kind, failures[i].kind);
        CU_ASSERT_EQUAL(failure.rank, failures[i].rank);
        CU_ASSERT_STRING_EQUAL(failure.text, failures[i].text);
    }
    CU_ASSERT_FALSE(cadre_failure_next(&msg, &at, &failure));
    CU_ASSERT_EQUAL_FATAL(msg.outputs_len, sizeof payload);
    CU_ASSERT_EQUAL(memcmp(msg.outputs, payload, sizeof payload), 0);
    CU_ASSERT_EQUAL((uintptr_t)msg.outputs % CADRE_FRAME_ALIGN, 0);
    cadre_buffer_fini(&buffer);
}

static void a_letter_comes_back_with_its_values(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_letter msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_letter(&buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_letter_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.tag, -3);
    CU_ASSERT_EQUAL_FATAL(msg.count, letter.count);
    for (uint32_t i = 0; i < msg.count; i++) {
        CU_ASSERT_EQUAL(msg.parts[i].type, letter.parts[i].type);
        CU_ASSERT_EQUAL(msg.parts[i].is_array, letter.parts[i].is_array);
        CU_ASSERT_EQUAL(msg.parts[i].count, letter.parts[i].count);
    }
    CU_ASSERT_EQUAL(memcmp(msg.parts[0].data, &letter_number, 4), 0);
    CU_ASSERT_EQUAL(memcmp(msg.parts[1].data, letter_array, 16), 0);
    CU_ASSERT_EQUAL((uintptr_t)msg.parts[1].data % CADRE_FRAME_ALIGN, 0);
    CU_ASSERT_STRING_EQUAL(msg.parts[2].data, "step");
    CU_ASSERT_PTR_NULL(msg.parts[3].data);
    cadre_buffer_fini(&buffer);
}

static void a_letter_may_be_empty(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_letter none = {.tag = 5}, msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(cadre_letter_encode(&none, 9, &buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_letter_decode(&frame, &msg, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(msg.tag, 5);
    CU_ASSERT_EQUAL(msg.count, 0);
    cadre_buffer_fini(&buffer);
}

/* Byte `at` of the letter's frame becomes `value`. */
static void damage_letter(size_t at, unsigned char value, const char *says)
{
    struct cadre_buffer buffer = {0};
    struct cadre_error error = {""};
    struct cadre_msg_letter msg;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_letter(&buffer), CADRE_OK);
    buffer.data[at] = value;
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL(cadre_letter_decode(&frame, &msg, &error), CADRE_EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, says));
    cadre_buffer_fini(&buffer);
}

static void a_letter_of_impossible_values_is_refused(void)
{
    enum { COUNT_AT = 28, LEN_AT = 32, ZERO_AT = 40, SET = 48, HEADERS = 56 };

    damage_letter(COUNT_AT, 6, "instead of 6");
    damage_letter(COUNT_AT, 65, "count is too large");
    damage_letter(LEN_AT, 255, "values is cut short");
    damage_letter(ZERO_AT, 1, "padding is not zero");
    damage_letter(SET, 4, "4 columns instead of 5");
    damage_letter(HEADERS, CADRE_FORM_ABSENT, "cannot be sent");
    damage_letter(HEADERS + 1, CADRE_VOID, "values");
    damage_letter(HEADERS + 1, CADRE_DOUBLE, "cannot be sent");
    damage_letter(HEADERS + 16 + 1, CADRE_STRING, "cannot be sent");
    damage_letter(HEADERS + 16 + 1, CADRE_LONG_DOUBLE_COMPLEX, "cannot be");
}

static void frames_in_a_row_are_found_one_by_one(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_frame frame;
    size_t at = 0;

    for (int i = 0; i < NTYPES; i++)
        CU_ASSERT_EQUAL_FATAL(encoders[i](&buffer), CADRE_OK);
    for (int i = 0; i < NTYPES; i++) {
        CU_ASSERT_EQUAL_FATAL(
            cadre_frame_decode(buffer.data + at, buffer.len - at, &frame, NULL),
            CADRE_OK);
        CU_ASSERT_EQUAL((int)frame.type, i < NTYPES - 2 ? i + 1 : i + 3);
        CU_ASSERT_EQUAL(frame.len % CADRE_FRAME_ALIGN, 0);
        CU_ASSERT_EQUAL(decode(&frame, NULL), CADRE_OK);
        at += frame.len;
    }
    CU_ASSERT_EQUAL(at, buffer.len);
    cadre_buffer_fini(&buffer);
}

static void the_header_has_the_bytes_of_its_comment(void)
{
    static const unsigned char expected[32] = {'C', 'D', 'R', 'E', 3, 0, 7, 0,
                                               32,  0,   0,   0,   0, 0, 0, 0,
                                               4,   3,   2,   1,   0, 0, 0, 0};
    struct cadre_buffer buffer = {0};

    CU_ASSERT_EQUAL_FATAL(cadre_bye_encode(0x01020304, &buffer), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(buffer.len, sizeof expected);
    CU_ASSERT_EQUAL(memcmp(buffer.data, expected, sizeof expected), 0);
    cadre_buffer_fini(&buffer);
}

static void a_frame_of_another_version_names_both(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_error error;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_hello(&buffer), CADRE_OK);
    cadre_put_u16(buffer.data + 4, 99);
    CU_ASSERT_EQUAL(cadre_frame_decode(buffer.data, buffer.len, &frame, &error),
                    CADRE_EVERSION);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "version 99"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "version 3"));
    cadre_buffer_fini(&buffer);
}

static void a_frame_cut_anywhere_is_refused(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_frame frame;
    unsigned char *piece;

    CU_ASSERT_EQUAL_FATAL(encode_results(&buffer), CADRE_OK);
    for (size_t len = 0; len < buffer.len; len++) {
        piece = malloc(len + 1); /* so that a read beyond is seen */
        CU_ASSERT_PTR_NOT_NULL_FATAL(piece);
        memcpy(piece, buffer.data, len);
        CU_ASSERT_EQUAL(cadre_frame_decode(piece, len, &frame, NULL),
                        CADRE_EPROTO);
        free(piece);
    }
    cadre_buffer_fini(&buffer);
}

static void a_body_cut_anywhere_is_refused(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_error error;
    struct cadre_frame frame;

    for (int i = 0; i < NTYPES; i++) {
        if (encoders[i] == encode_bye)
            continue;
        buffer.len = 0;
        CU_ASSERT_EQUAL_FATAL(encoders[i](&buffer), CADRE_OK);
        for (size_t len = CADRE_FRAME_ALIGN * 2; len < buffer.len;
             len += CADRE_FRAME_ALIGN) {
            cadre_put_u64(buffer.data + 8, len);
            frame = first_frame(&buffer);
            error.text[0] = '\0';
            CU_ASSERT_EQUAL(decode(&frame, &error), CADRE_EPROTO);
            CU_ASSERT_NOT_EQUAL(error.text[0], '\0');
        }
    }
    cadre_buffer_fini(&buffer);
}

/* Encode with `encode`, write `value` at `offset`, and expect an error that has
 * `word` in it. */
static void expect_damage(cadre_err (*encode)(struct cadre_buffer *),
                          size_t offset, uint64_t value, int width,
                          const char *word)
{
    struct cadre_buffer buffer = {0};
    struct cadre_error error = {""};
    struct cadre_frame frame = {0};
    cadre_err err;

    CU_ASSERT_EQUAL_FATAL(encode(&buffer), CADRE_OK);
    for (int i = 0; i < width; i++)
        buffer.data[offset + (size_t)i] = (unsigned char)(value >> 8 * i);
    err = cadre_frame_decode(buffer.data, buffer.len, &frame, &error);
    if (err == CADRE_OK)
        err = decode(&frame, &error);
    CU_ASSERT_EQUAL(err, CADRE_EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, word));
    cadre_buffer_fini(&buffer);
}

static void an_impossible_header_is_refused(void)
{
    expect_damage(encode_bye, 0, 'X', 1, "no frame");
    expect_damage(encode_bye, 6, 0, 2, "type 0");
    expect_damage(encode_bye, 6, 15, 2, "type 15");
    expect_damage(encode_bye, 8, 0, 8, "length 0");
    expect_damage(encode_bye, 8, 16, 8, "length 16");
    expect_damage(encode_bye, 8, 31, 8, "length 31");
    expect_damage(encode_bye, 8, 48, 8, "cut short");
    expect_damage(encode_bye, 8, UINT64_MAX, 8, "cut short");
    expect_damage(encode_bye, 20, 1, 4, "damaged");
}

static void an_impossible_field_is_refused_by_its_name(void)
{
    enum { FAILURE = 80, SECOND_FAILURE = FAILURE + 20 + 2 + 14 + 1 };

    expect_damage(encode_hello, 128, 0, 4, "silence_ms");
    expect_damage(encode_welcome, 116, 2, 4, "has_bell");
    expect_damage(encode_welcome, 120, 2, 4, "has_pulse");
    expect_damage(encode_pulse, 24, 0, 4, "kind");
    expect_damage(encode_pulse, 24, 3, 4, "kind");
    expect_damage(encode_pulse, 28, 1, 4, "padding");
    expect_damage(encode_refuse, 24, 0, 4, "err");
    expect_damage(encode_refuse, 24, 19, 4, "err");
    expect_damage(encode_refuse, 28, 6, 2, "text");
    expect_damage(encode_refuse, 28, 8, 2, "text");
    expect_damage(encode_function, 24, 0, 4, "id");
    expect_damage(encode_function, 28, 65535, 2, "library");
    expect_damage(encode_batch, 32, UINT64_MAX - 2, 8, "count");
    expect_damage(encode_batch, 40, 0, 8, "count");
    expect_damage(encode_batch, 40, UINT64_MAX, 8, "count");
    expect_damage(encode_batch, 48, 0, 4, "function");
    expect_damage(encode_batch, 52, 0, 4, "team");
    expect_damage(encode_team, 24, 0, 4, "team");
    expect_damage(encode_team, 28, 0, 4, "object");
    expect_damage(encode_team, 32, 3, 4, "rank");
    expect_damage(encode_team, 36, 0, 4, "size");
    expect_damage(encode_team, 36, 1 << 17, 4, "size");
    expect_damage(encode_team, 36, 4000, 4, "members");
    expect_damage(encode_team, 40, 2, 4, "has_all");
    expect_damage(encode_ready, 28, 19, 4, "err");
    expect_damage(encode_init, 28, 0, 4, "function");
    expect_damage(encode_close, 24, 0, 4, "number");
    expect_damage(encode_news, 40, UINT64_MAX, 8, "progress");
    expect_damage(encode_batch, 60, 1, 4, "padding");
    expect_damage(encode_batch, 64, UINT64_MAX, 8, "args");
    expect_damage(encode_batch, 64, sizeof payload - 2, 8, "padding");
    expect_damage(encode_batch, 64, 0, 8, "end");
    expect_damage(encode_results, 40, 0, 8, "count");
    expect_damage(encode_results, 40, 2, 8, "failure row");
    expect_damage(encode_results, 56, 1, 4, "failures");
    expect_damage(encode_results, 56, 3, 4, "cut short");
    expect_damage(encode_results, 64, UINT64_MAX, 8, "failures");
    expect_damage(encode_results, 64, 10, 8, "failure");
    expect_damage(encode_results, 72, UINT64_MAX, 8, "outputs");
    expect_damage(encode_results, FAILURE, 999, 8, "failure row");
    expect_damage(encode_results, FAILURE, 1002, 8, "failure row");
    expect_damage(encode_results, FAILURE + 8, 0, 4, "failure err");
    expect_damage(encode_results, SECOND_FAILURE, 1003, 8, "failure row");
}

static void a_name_without_an_end_is_refused(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_msg_hello msg;
    struct cadre_error error;
    struct cadre_frame frame;

    CU_ASSERT_EQUAL_FATAL(encode_hello(&buffer), CADRE_OK);
    memset(buffer.data + 24, 'x', 16);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL(cadre_hello_decode(&frame, &msg, &error), CADRE_EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "HELLO message: version"));
    cadre_buffer_fini(&buffer);
}

static void a_name_that_fills_its_field_is_cut(void)
{
    struct cadre_msg_hello msg = hello, back;
    struct cadre_buffer buffer = {0};
    struct cadre_frame frame;

    memset(msg.host, 'h', sizeof msg.host);
    CU_ASSERT_EQUAL_FATAL(cadre_hello_encode(&msg, 0, &buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_hello_decode(&frame, &back, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(strlen(back.host), sizeof msg.host - 1);
    cadre_buffer_fini(&buffer);
}

static void a_text_of_more_than_65535_bytes_is_cut(void)
{
    struct cadre_msg_refuse msg = {.err = CADRE_EINVAL}, back;
    struct cadre_buffer buffer = {0};
    struct cadre_frame frame;
    char *text = malloc(70001);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 't', 70000);
    text[70000] = '\0';
    msg.text = text;
    CU_ASSERT_EQUAL_FATAL(cadre_refuse_encode(&msg, 0, &buffer), CADRE_OK);
    frame = first_frame(&buffer);
    CU_ASSERT_EQUAL_FATAL(cadre_refuse_decode(&frame, &back, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(strlen(back.text), 65535);
    free(text);
    cadre_buffer_fini(&buffer);
}

static void an_aborted_frame_leaves_no_trace(void)
{
    struct cadre_buffer buffer = {0};
    size_t mark, len;

    CU_ASSERT_EQUAL_FATAL(encode_hello(&buffer), CADRE_OK);
    len = buffer.len;
    CU_ASSERT_EQUAL_FATAL(cadre_batch_begin(&batch, 1, &buffer, &mark),
                          CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(put_payload(&buffer), CADRE_OK);
    cadre_frame_abort(&buffer, mark);
    CU_ASSERT_EQUAL(buffer.len, len);
    cadre_buffer_fini(&buffer);
}

static void a_frame_without_memory_leaves_the_buffer_as_it_was(void)
{
    struct cadre_buffer buffer = {0};
    unsigned n;

    for (int i = 0; i < NTYPES; i++) {
        for (n = 1;; n++) {
            buffer = (struct cadre_buffer){0};
            alloc_fail_at(n);
            if (encoders[i](&buffer) == CADRE_OK)
                break;
            CU_ASSERT_TRUE(alloc_has_failed());
            CU_ASSERT_EQUAL(buffer.len, 0);
            cadre_buffer_fini(&buffer);
        }
        CU_ASSERT_FALSE(alloc_has_failed());
        CU_ASSERT(n > 1);
        cadre_buffer_fini(&buffer);
    }
}

static void a_buffer_can_be_asked_for_too_much(void)
{
    struct cadre_buffer buffer = {0};

    CU_ASSERT_EQUAL_FATAL(put_payload(&buffer), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_buffer_reserve(&buffer, SIZE_MAX), CADRE_ENOMEM);
    CU_ASSERT_EQUAL(memcmp(buffer.data, payload, sizeof payload), 0);
    CU_ASSERT_EQUAL(buffer.len, sizeof payload);
    cadre_buffer_fini(&buffer);
    CU_ASSERT_PTR_NULL(buffer.data);
    CU_ASSERT_EQUAL(buffer.capacity, 0);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(a_value_comes_back),
        CHECK(a_large_value_goes_beside_its_frame),
        CHECK(hello_comes_back),
        CHECK(welcome_comes_back),
        CHECK(a_pulse_comes_back),
        CHECK(refuse_comes_back),
        CHECK(function_comes_back),
        CHECK(team_comes_back_with_its_members),
        CHECK(only_teams_of_one_run_tasks_apart),
        CHECK(ready_init_ends_and_news_come_back),
        CHECK(batch_comes_back_with_its_arguments),
        CHECK(results_come_back_with_failures_and_outputs),
        CHECK(a_letter_comes_back_with_its_values),
        CHECK(a_letter_may_be_empty),
        CHECK(a_letter_of_impossible_values_is_refused),
        CHECK(frames_in_a_row_are_found_one_by_one),
        CHECK(the_header_has_the_bytes_of_its_comment),
        CHECK(a_frame_of_another_version_names_both),
        CHECK(a_frame_cut_anywhere_is_refused),
        CHECK(a_body_cut_anywhere_is_refused),
        CHECK(an_impossible_header_is_refused),
        CHECK(an_impossible_field_is_refused_by_its_name),
        CHECK(a_name_without_an_end_is_refused),
        CHECK(a_name_that_fills_its_field_is_cut),
        CHECK(a_text_of_more_than_65535_bytes_is_cut),
        CHECK(an_aborted_frame_leaves_no_trace),
        CHECK(a_frame_without_memory_leaves_the_buffer_as_it_was),
        CHECK(a_buffer_can_be_asked_for_too_much),
        {NULL, NULL},
    };

    return check_run("frame", tests);
}
