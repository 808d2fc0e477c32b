/* fuzz_frame.c - any bytes may come in: frame after frame is read, each body
 * and each failure record, and every text and byte that was lent is touched.
 */
#include "frame.h"
#include "type.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static volatile size_t touched;

static void touch_text(const char *text)
{
    touched += strlen(text);
}

static void touch_bytes(const unsigned char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        touched += data[i];
}

static void touch_function(const struct cadre_msg_function *msg)
{
    touch_text(msg->library);
    touch_text(msg->symbol);
    touch_text(msg->written);
    touch_text(msg->expanded);
}

static void touch_results(const struct cadre_msg_results *msg)
{
    struct cadre_failure failure;
    uint32_t n = 0;

    for (size_t at = 0; cadre_failure_next(msg, &at, &failure); n++) {
        if (failure.row < msg->first || failure.row - msg->first >= msg->count)
            abort();
        touch_text(failure.text);
    }
    if (n != msg->nfailures)
        abort();
    touch_bytes(msg->outputs, msg->outputs_len);
}

static void touch_letter(const struct cadre_msg_letter *msg)
{
    for (uint32_t i = 0; i < msg->count; i++) {
        const struct cadre_part *part = &msg->parts[i];

        if (part->type != CADRE_STRING)
            touch_bytes(part->data, part->count * cadre_type_size(part->type));
        else if (part->data != NULL)
            touch_text(part->data);
    }
}

static cadre_err decode(const struct cadre_frame *frame,
                        struct cadre_error *error)
{
    struct cadre_msg_hello hello;
    struct cadre_msg_welcome welcome;
    struct cadre_msg_refuse refuse;
    struct cadre_msg_function function;
    struct cadre_msg_batch batch;
    struct cadre_msg_results results;
    struct cadre_msg_team team;
    struct cadre_msg_init init;
    struct cadre_msg_ready ready;
    struct cadre_msg_end ending;
    struct cadre_msg_news news;
    struct cadre_msg_letter letter;
    struct cadre_msg_store_put put;
    struct cadre_msg_pulse pulse;
    cadre_err err = CADRE_OK;

    switch (frame->type) {
    case CADRE_FRAME_HELLO:
        if ((err = cadre_hello_decode(frame, &hello, error)) == CADRE_OK) {
            touch_text(hello.version);
            touch_text(hello.host);
        }
        break;
    case CADRE_FRAME_WELCOME:
        if ((err = cadre_welcome_decode(frame, &welcome, error)) == CADRE_OK) {
            touch_text(welcome.version);
            touch_text(welcome.host);
        }
        break;
    case CADRE_FRAME_REFUSE:
        if ((err = cadre_refuse_decode(frame, &refuse, error)) == CADRE_OK)
            touch_text(refuse.text);
        break;
    case CADRE_FRAME_FUNCTION:
        if ((err = cadre_function_decode(frame, &function, error)) == CADRE_OK)
            touch_function(&function);
        break;
    case CADRE_FRAME_BATCH:
        if ((err = cadre_batch_decode(frame, &batch, error)) == CADRE_OK)
            touch_bytes(batch.args, batch.args_len);
        break;
    case CADRE_FRAME_RESULTS:
        if ((err = cadre_results_decode(frame, &results, error)) == CADRE_OK)
            touch_results(&results);
        break;
    case CADRE_FRAME_TEAM:
        if ((err = cadre_team_decode(frame, &team, error)) == CADRE_OK) {
            for (uint32_t i = 0; i < team.size; i++)
                touched += cadre_team_member(&team, i);
            touch_bytes(team.place, team.place_len);
            touched += team.isolates + team.cpu_ms + team.memory;
        }
        break;
    case CADRE_FRAME_INIT:
        if ((err = cadre_init_decode(frame, &init, error)) == CADRE_OK)
            touched += init.team + init.function;
        break;
    case CADRE_FRAME_READY:
        if ((err = cadre_ready_decode(frame, &ready, error)) == CADRE_OK)
            touch_text(ready.text);
        break;
    case CADRE_FRAME_DISBAND:
    case CADRE_FRAME_CLOSE:
        if ((err = cadre_end_decode(frame, &ending, error)) == CADRE_OK)
            touched += ending.number;
        break;
    case CADRE_FRAME_NEWS:
        if ((err = cadre_news_decode(frame, &news, error)) == CADRE_OK)
            touch_text(news.text);
        break;
    case CADRE_FRAME_STORE_PUT:
        if ((err = cadre_store_put_decode(frame, &put, error)) == CADRE_OK)
            touch_bytes(put.data, put.len);
        break;
    case CADRE_FRAME_LETTER:
        if ((err = cadre_letter_decode(frame, &letter, error)) == CADRE_OK)
            touch_letter(&letter);
        break;
    case CADRE_FRAME_PULSE:
        err = cadre_pulse_decode(frame, &pulse, error);
        break;
    case CADRE_FRAME_BYE:
        break;
    }
    return err;
}

/* An error is one of those promised, and says something. */
static void check(cadre_err err, const struct cadre_error *error)
{
    if (err == CADRE_OK)
        return;
    if ((err != CADRE_EPROTO && err != CADRE_EVERSION) ||
        error->text[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cadre_error error = {""};
    struct cadre_frame frame;
    cadre_err err;

    for (size_t at = 0; at < len; at += frame.len) {
        err = cadre_frame_decode(data + at, len - at, &frame, &error);
        check(err, &error);
        if (err != CADRE_OK)
            break;
        check(decode(&frame, &error), &error);
        /* The body of one type read as every other. */
        for (int type = CADRE_FRAME_HELLO; type <= CADRE_FRAME_LETTER; type++) {
            frame.type = (enum cadre_frame_type)type;
            check(decode(&frame, &error), &error);
        }
    }
    return 0;
}
