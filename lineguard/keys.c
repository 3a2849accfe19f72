/* Keys as xterm sends them (ctlseqs, "PC-Style Function Keys"), from tables. */
#include "lineguard/keys.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_BYTE_ESC = 0x1b };

static const uint8_t paste_end[] = { KEY_BYTE_ESC, '[', '2', '0', '1', '~' };

static const uint8_t control_keys[0x20] = {
	[0x01] = KEY_HOME,
	[0x02] = KEY_LEFT,
	[0x03] = KEY_INTERRUPT,
	[0x04] = KEY_END_FILE,
	[0x05] = KEY_END,
	[0x06] = KEY_RIGHT,
	[0x08] = KEY_ERASE,
	[0x09] = KEY_COMPLETE,
	[0x0a] = KEY_ACCEPT,
	[0x0b] = KEY_KILL_END,
	[0x0c] = KEY_REDRAW,
	[0x0d] = KEY_ACCEPT,
	[0x0e] = KEY_RECALL,
	[0x0f] = KEY_OPERATE,
	[0x10] = KEY_RECALL,
	[0x11] = KEY_PUSH,
	[0x12] = KEY_RECALL,
	[0x13] = KEY_RECALL,
	[0x15] = KEY_KILL_START,
	[0x16] = KEY_QUOTE,
	[0x17] = KEY_KILL_WORD,
	[0x19] = KEY_RECALL,
	[0x1a] = KEY_INTERRUPT,
	[0x1c] = KEY_INTERRUPT,
};

struct sequence_key {
	const char *parameters; /* NULL: whatever they are */
	char final;
	enum key key;
};

/* CSI u and 27;…~ are how keyboards with extended reports send Enter. */
static const struct sequence_key csi_keys[] = {
	{ "", 'A', KEY_RECALL },
	{ "", 'B', KEY_RECALL },
	{ "", 'C', KEY_RIGHT },
	{ "", 'D', KEY_LEFT },
	{ "", 'H', KEY_HOME },
	{ "", 'F', KEY_END },
	{ "1", '~', KEY_HOME },
	{ "7", '~', KEY_HOME },
	{ "4", '~', KEY_END },
	{ "8", '~', KEY_END },
	{ "3", '~', KEY_DELETE },
	{ "5", '~', KEY_RECALL },
	{ "6", '~', KEY_RECALL },
	{ "200", '~', KEY_PASTE_BEGIN },
	{ "13", 'u', KEY_ACCEPT },
	{ "13;1", 'u', KEY_ACCEPT },
	{ "57414", 'u', KEY_ACCEPT },
	{ "27;1;13", '~', KEY_ACCEPT },
	{ "27;5;13", '~', KEY_ACCEPT },
	{ "13;5", 'u', KEY_ACCEPT },
	{ "", 'I', KEY_REPLY },
	{ "", 'O', KEY_REPLY },
	{ NULL, 'R', KEY_REPLY },
	{ NULL, 'c', KEY_REPLY },
	{ NULL, 'n', KEY_REPLY },
	{ NULL, 'y', KEY_REPLY },
	{ NULL, 't', KEY_REPLY },
	{ NULL, 'm', KEY_REPLY },
};

static const struct sequence_key ss3_keys[] = {
	{ "", 'A', KEY_RECALL },
	{ "", 'B', KEY_RECALL },
	{ "", 'C', KEY_RIGHT },
	{ "", 'D', KEY_LEFT },
	{ "", 'H', KEY_HOME },
	{ "", 'F', KEY_END },
	{ "", 'M', KEY_ACCEPT },
};

static enum key key_in_table(
	const struct sequence_key *table, size_t count, const struct keys_scan *scan, uint8_t final)
{
	for (size_t i = 0; i < count; i++) {
		const char *want = table[i].parameters;
		if (table[i].final == (char) final &&
			(!want || (strlen(want) == scan->length &&
					  !memcmp(want, scan->sequence, scan->length))))
			return table[i].key;
	}
	return KEY_OTHER;
}

static enum key key_done(struct keys_scan *scan, enum key key)
{
	scan->state = KEYS_GROUND;
	scan->length = 0;
	return key;
}

static enum key key_more(struct keys_scan *scan, enum keys_state state)
{
	scan->state = state;
	scan->length = 0;
	return KEY_PARTIAL;
}

static enum key key_ground(struct keys_scan *scan, uint8_t byte)
{
	if (byte == KEY_BYTE_ESC)
		return key_more(scan, KEYS_ESCAPE);
	if (byte == 0x7f)
		return KEY_ERASE;
	if (byte >= 0x20)
		return KEY_PLAIN;
	return control_keys[byte] ? control_keys[byte] : KEY_OTHER;
}

static enum key key_escape(struct keys_scan *scan, uint8_t byte)
{
	switch (byte) {
	case KEY_BYTE_ESC: return KEY_PARTIAL;
	case '[': return key_more(scan, KEYS_CSI);
	case 'O': return key_more(scan, KEYS_SS3);
	case ']':
	case 'P':
	case '_': scan->introducer = byte; return key_more(scan, KEYS_STRING);
	case 'a':
	case 'A': return key_done(scan, KEY_KEEP);
	case 'q':
	case 'Q': return key_done(scan, KEY_PUSH);
	case '#': return key_done(scan, KEY_COMMENT);
	default: return key_done(scan, KEY_OTHER);
	}
}

static enum key key_csi(struct keys_scan *scan, uint8_t byte)
{
	if (byte < 0x40 && scan->length < KEYS_SEQUENCE_MAX) {
		scan->sequence[scan->length++] = byte;
		return KEY_PARTIAL;
	}
	if (byte == 'M' && !scan->length)
		return key_more(scan, KEYS_MOUSE);
	if (byte == 'M' && scan->sequence[0] == '<')
		return key_done(scan, KEY_REPLY);
	enum key key = key_in_table(csi_keys, sizeof csi_keys / sizeof *csi_keys, scan, byte);
	return key_done(scan, key);
}

/* Terminals answer with OSC 10;rgb:…, DCS 1$r… and >|name, APC G…. Anything else was typed:
 * somebody pressed Alt-] or Alt-P and continued. */
static bool is_answer(const struct keys_scan *scan, uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || (scan->introducer == 'P' && strchr(">!", byte)) ||
	       (scan->introducer == '_' && byte == 'G');
}

static enum key key_string(struct keys_scan *scan, uint8_t byte)
{
	bool begins = !scan->length && scan->state == KEYS_STRING;

	if (begins && !is_answer(scan, byte))
		return byte == KEY_BYTE_ESC ? key_more(scan, KEYS_ESCAPE)
					    : key_done(scan, KEY_OTHER);
	if (byte == KEY_BYTE_ESC) {
		scan->state = KEYS_STRING_ESCAPE;
		return KEY_PARTIAL;
	}
	bool ends = byte == 0x07 || (scan->state == KEYS_STRING_ESCAPE && byte == '\\');
	if (ends)
		return key_done(scan, KEY_REPLY);
	if (scan->state == KEYS_STRING_ESCAPE)
		return key_escape(scan, byte);
	return ++scan->length > KEYS_REPLY_MAX ? key_done(scan, KEY_OTHER) : KEY_PARTIAL;
}

/* An interrupt ends a paste: the editor may have abandoned it, and an Enter after it may run a
 * line. */
static enum key key_pasted(struct keys_scan *scan, uint8_t byte)
{
	bool escaped = scan->matched;

	if (byte == 0x03 || byte == 0x1a || byte == 0x1c) {
		scan->pasting = false;
		return key_done(scan, KEY_OTHER);
	}
	if (byte == paste_end[scan->matched])
		scan->matched++;
	else
		scan->matched = byte == KEY_BYTE_ESC;
	if (scan->matched == sizeof paste_end) {
		scan->pasting = false;
		return key_done(scan, KEY_PASTE_END);
	}
	if (scan->matched)
		return KEY_PARTIAL;
	/* the model does not follow an escape sequence inside a paste */
	return escaped ? KEY_OTHER : KEY_PLAIN;
}

/* A control byte ends an unfinished sequence, so that no Enter is hidden in one. */
static enum key key_control(struct keys_scan *scan, uint8_t byte)
{
	key_done(scan, KEY_OTHER);
	return key_ground(scan, byte);
}

static enum key in_sequence(struct keys_scan *scan, uint8_t byte)
{
	switch (scan->state) {
	case KEYS_ESCAPE: return key_escape(scan, byte);
	case KEYS_CSI: return key_csi(scan, byte);
	case KEYS_SS3:
		return key_done(scan,
			key_in_table(ss3_keys, sizeof ss3_keys / sizeof *ss3_keys, scan, byte));
	case KEYS_MOUSE: return ++scan->length < 3 ? KEY_PARTIAL : key_done(scan, KEY_REPLY);
	case KEYS_STRING:
	case KEYS_STRING_ESCAPE: return key_string(scan, byte);
	case KEYS_GROUND: break;
	}
	return key_ground(scan, byte);
}

enum key keys_scan_byte(struct keys_scan *scan, uint8_t byte, bool paste)
{
	bool string_end = byte == 0x07 && scan->state == KEYS_STRING;
	enum key key;

	if (scan->pasting && paste)
		return key_pasted(scan, byte);
	scan->pasting = false;
	if (byte < 0x20 && byte != KEY_BYTE_ESC && !string_end)
		return key_control(scan, byte);
	key = in_sequence(scan, byte);
	if (key == KEY_PASTE_BEGIN) {
		scan->pasting = paste;
		scan->matched = 0;
	}
	return key == KEY_PASTE_BEGIN && !paste ? KEY_OTHER : key;
}

bool keys_accept(enum key key)
{
	return key == KEY_ACCEPT || key == KEY_OPERATE || key == KEY_KEEP || key == KEY_COMMENT ||
	       key == KEY_END_FILE;
}

static void model_insert(struct keys_model *model, uint8_t byte)
{
	if (model->length == KEYS_TEXT_MAX) {
		model->unfaithful = true;
		return;
	}
	memmove(model->text + model->cursor + 1, model->text + model->cursor,
		model->length - model->cursor);
	model->text[model->cursor++] = byte == '\r' ? '\n' : byte;
	model->length++;
}

static void model_cut(struct keys_model *model, size_t from, size_t to)
{
	memmove(model->text + from, model->text + to, model->length - to);
	model->length -= to - from;
	model->cursor = from;
}

static bool model_continues(const struct keys_model *model, size_t at)
{
	return at < model->length && (model->text[at] & 0xc0) == 0x80;
}

static size_t left_of(const struct keys_model *model)
{
	size_t at = model->cursor;

	while (at && model_continues(model, --at))
		;
	return at;
}

static size_t right_of(const struct keys_model *model)
{
	size_t at = model->cursor;

	if (at < model->length)
		at++;
	while (model_continues(model, at))
		at++;
	return at;
}

static size_t word_left(const struct keys_model *model)
{
	size_t at = model->cursor;

	while (at && model->text[at - 1] == ' ')
		at--;
	while (at && model->text[at - 1] != ' ')
		at--;
	return at;
}

/* Editors differ in what Ctrl-U and Ctrl-W do inside a line, and Ctrl-W after anything but
 * letters. */
static bool agreed_word(const struct keys_model *model)
{
	for (size_t i = word_left(model); i < model->cursor; i++) {
		bool letter = (model->text[i] >= 'a' && model->text[i] <= 'z') ||
			      (model->text[i] >= '0' && model->text[i] <= '9') ||
			      model->text[i] == ' ';
		if (!letter)
			return false;
	}
	return model->cursor == model->length;
}

static void model_edit(struct keys_model *model, enum key key)
{
	bool at_end = model->cursor == model->length;

	switch (key) {
	case KEY_LEFT: model->cursor = left_of(model); break;
	case KEY_RIGHT:
		model->cursor = right_of(model);
		model->unfaithful |= at_end;
		break; /* at the end of the line the key accepts a suggestion */
	case KEY_HOME: model->cursor = 0; break;
	case KEY_END:
		model->cursor = model->length;
		model->unfaithful |= at_end;
		break;
	case KEY_ERASE: model_cut(model, left_of(model), model->cursor); break;
	case KEY_DELETE: model_cut(model, model->cursor, right_of(model)); break;
	case KEY_KILL_END: model_cut(model, model->cursor, model->length); break;
	case KEY_KILL_START:
		model->unfaithful |= !at_end;
		model_cut(model, 0, model->cursor);
		break;
	case KEY_KILL_WORD:
		model->unfaithful |= !agreed_word(model);
		model_cut(model, word_left(model), model->cursor);
		break;
	case KEY_REDRAW: break;
	default: model->unfaithful = true; break;
	}
}

void keys_model_key(struct keys_model *model, enum key key, uint8_t byte)
{
	if (key == KEY_PLAIN) {
		model_insert(model, byte);
		model->plain++;
		model->tail++;
		return;
	}
	if (key == KEY_PASTE_BEGIN || key == KEY_PASTE_END) {
		model->pasted = true;
		return;
	}
	model->others++;
	model->tail = 0;
	model->recalled |= key == KEY_RECALL || key == KEY_COMPLETE;
	model->completed |= key == KEY_COMPLETE;
	model->moved |= key != KEY_ERASE && key != KEY_KILL_START && key != KEY_KILL_WORD &&
			key != KEY_KILL_END;
	model_edit(model, key);
}

bool keys_model_empty(const struct keys_model *model)
{
	return !model->plain && !model->others;
}
