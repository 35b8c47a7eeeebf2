// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// collector keeps what it is given, after the frame is gone.
type collector struct {
	events     []Event
	violations []Violation
	order      strings.Builder // E and V
}

func (c *collector) Event(e *Event) {
	kept := *e
	for _, text := range []*[]byte{
		&kept.ChannelID, &kept.UserID, &kept.ID, &kept.TenantID, &kept.Region, &kept.ChannelType, &kept.CloseReason, &kept.Raw,
	} {
		*text = clone(*text)
	}
	c.events = append(c.events, kept)
	c.order.WriteByte('E')
}

func (*collector) Ignored() {}

func (c *collector) Violation(v *Violation) {
	kept := *v
	for _, text := range []*[]byte{&kept.TenantID, &kept.Region, &kept.ChannelType, &kept.Raw} {
		*text = clone(*text)
	}
	c.violations = append(c.violations, kept)
	c.order.WriteByte('V')
}

func clone(text []byte) []byte {
	if text == nil {
		return nil
	}
	return append([]byte{}, text...)
}

func newDecoder(t testing.TB, fields Fields) *Decoder {
	t.Helper()
	d, err := NewDecoder(fields)
	require.NoError(t, err)
	return d
}

func decode(t testing.TB, frame string) *collector {
	t.Helper()
	c := &collector{}
	newDecoder(t, DefaultFields()).Decode([]byte(frame), c)
	return c
}

const (
	head = `"type":"message.send","timestamp":1715623400123,"channelId":"ch-1"`
	good = `{` + head + `,"payloadSize":512}`
)

// with is a good event with something more in it, between its tenant and its
// region.
func with(members string) string {
	return `{` + head + `,"tenantId":"acme","channelType":"voice",` + members + `,"region":"eu"}`
}

func TestDecodeEvent(t *testing.T) {
	t.Parallel()
	frame := `{"type":"connection.close","timestamp":1715623400123,"channelId":"ch-1","userId":"u-1","region":"us-east-1",` +
		`"tenantId":"acme_corp","channelType":"webmessaging","payloadSize":0,"id":"e-1","code":1006,"reason":"transport.failure"}`
	got := decode(t, frame)
	require.Empty(t, got.violations)
	require.Equal(t, []Event{{
		Type: ConnectionClose, Time: 1715623400123000000,
		ChannelID: []byte("ch-1"), UserID: []byte("u-1"), ID: []byte("e-1"),
		TenantID: []byte("acme_corp"), Region: []byte("us-east-1"), ChannelType: []byte("webmessaging"),
		PayloadSize: 0, HasPayloadSize: true, CloseCode: 1006, HasCloseCode: true, CloseReason: []byte("transport.failure"),
		Raw: []byte(frame),
	}}, got.events)
}

// TestDecodeForgets is that nothing of an event, or of a violation, shows in the next.
func TestDecodeForgets(t *testing.T) {
	t.Parallel()
	full := with(`"userId":"u","id":"e","payloadSize":1,"code":1000,"reason":"r\u00e9"`)
	for _, first := range []string{full, strings.Replace(full, "message.send", "?", 1), full[:len(full)-1] + ",x}"} {
		got := decode(t, first+"\n"+`{"type":"connection.open","timestamp":1,"channelId":"c"}`+"\n"+`{}`)
		last := got.events[len(got.events)-1]
		assert.Equal(t, Event{Type: ConnectionOpen, Time: 1e9, ChannelID: []byte("c"), Raw: last.Raw}, last)
		empty := got.violations[len(got.violations)-1]
		assert.Equal(t, Violation{Reason: wsevent.ViolationMissingType, Detail: "nothing is given at type", Raw: []byte("{}")}, empty)
	}
}

func TestDecodeFrames(t *testing.T) {
	t.Parallel()
	bad := `{"type":"x"}`
	for _, test := range []struct{ name, frame, want string }{
		{"empty", "", ""},
		{"white space", " \r\n\t ", ""},
		{"object", good, "E"},
		{"space around", "\n " + good + " \r\n", "E"},
		{"lines", good + "\n" + good + "\r\n\n" + good + "\n", "EEE"},
		{"one after another", good + good + " " + good, "EEE"},
		{"empty array", "[]", ""},
		{"empty array with space", "[ \n ]", ""},
		{"array", "[" + good + "," + good + "]", "EE"},
		{"array with space", " [ " + good + " ,\n " + good + " ]\n", "EE"},
		{"lines of arrays", "[" + good + "]\n" + good + "\n[" + good + "," + good + "]", "EEEE"},
		{"bad in array", "[" + good + "," + bad + "," + good + "]", "EVE"},
		{"bad in lines", good + "\n" + bad + "\n" + good, "EVE"},
		{"empty element", "[" + good + ",," + good + "]", "EVE"},
		{"comma before the end", "[" + good + ",]", "EV"},
		{"comma at the beginning", "[," + good + "]", "VE"},
		{"comma alone", "[,]", "VV"},
		{"no comma", "[" + good + " " + good + "," + good + "]", "EVE"},
		{"no commas", "[" + good + good + good + "," + good + "]", "EVE"},
		{"garbage behind an element", "[" + good + "x," + good + "]", "EVE"},
		{"not closed", "[" + good + "," + good, "EEV"},
		{"not closed, comma", "[" + good + ",", "EV"},
		{"not closed at all", "[", "V"},
		{"not closed, next line", "[" + good + "\n" + good, "EVE"},
		{"broken array", "[\n{\"type\":\n{\"a\" \n" + good + ",\n" + good + "\n]\n" + good, "VEEE"},
		{"closed twice", "[" + good + "]]\n" + good, "EVE"},
		{"comma between lines", good + ",\n" + good, "EVE"},
		{"garbage first", "x\n" + good, "VE"},
		{"garbage last", good + "\nx", "EV"},
		{"garbage behind", good + "x\n" + good, "EVE"},
		{"scalars", "5\n\"x\"\nnull\n" + good, "VVVE"},
		{"scalars in one line", "5 6\n" + good, "VE"},
		{"scalar, then object", "5 " + good, "VE"},
		{"array in array", "[[" + good + "]," + good + "]", "VE"},
		{"broken array in array", "[[1,}]," + good + "]", "VE"},
		{"brackets in a broken element", `[{"a":[1},` + good + "]", "VE"},
		{"strings in a broken element", `[{"a":"},{]\"",},` + good + "]", "VE"},
		{"string to the next line", `{"a":"` + "\n" + good, "VE"},
		{"escape to the next line", `{"a":"\` + "\n" + good, "VE"},
		{"byte order mark", "\ufeff\n" + good, "VE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := decode(t, test.frame)
			assert.Equal(t, test.want, got.order.String(), "%q", got.violations)
		})
	}
}

// badPieces are pieces that are no event, and why. They are tried in all frames.
var badPieces = []struct {
	name, piece, reason, detail string
	loose                       bool // its end cannot be determined without a new line
}{
	{name: "word", piece: `hello`, reason: wsevent.ViolationNotJSON, loose: true},
	{name: "markup", piece: `<html><body>502</body></html>`, reason: wsevent.ViolationNotJSON, detail: "byte 0: a value belongs here", loose: true},
	{name: "number", piece: `5`, reason: wsevent.ViolationWrongType, detail: "5 is not an object"},
	{name: "string", piece: `"a"`, reason: wsevent.ViolationWrongType},
	{name: "null", piece: `null`, reason: wsevent.ViolationWrongType},
	{name: "true", piece: `true`, reason: wsevent.ViolationWrongType},
	{name: "NUL alone", piece: "\x00", reason: wsevent.ViolationNotJSON, loose: true},
	{name: "NUL before", piece: "\x00" + good, reason: wsevent.ViolationNotJSON, loose: true},
	{name: "NUL in it", piece: with("\x00\"a\":1"), reason: wsevent.ViolationNotJSON, detail: "a key belongs here"},
	{name: "NUL in a string", piece: with("\"a\":\"\x00\""), reason: wsevent.ViolationNotJSON, detail: "a control character"},
	{name: "control character", piece: with("\"a\":\"\x1f\""), reason: wsevent.ViolationNotJSON},
	{name: "new line in a string", piece: with("\"a\":\"\n\""), reason: wsevent.ViolationNotJSON, loose: true},
	{name: "bad escape", piece: with(`"a":"\x41"`), reason: wsevent.ViolationNotJSON, detail: "escape"},
	{name: "bad hex", piece: with(`"a":"\u00g0"`), reason: wsevent.ViolationNotJSON},
	{name: "short hex", piece: with(`"a":"\u00"`), reason: wsevent.ViolationNotJSON},
	{name: "bad escape in a key", piece: with(`"\a":1`), reason: wsevent.ViolationNotJSON},
	{name: "leading zero", piece: with(`"a":01`), reason: wsevent.ViolationNotJSON, detail: "must not begin with 0"},
	{name: "negative leading zero", piece: with(`"a":-01`), reason: wsevent.ViolationNotJSON},
	{name: "no fraction", piece: with(`"a":1.`), reason: wsevent.ViolationNotJSON, detail: "needs a digit"},
	{name: "no integer part", piece: with(`"a":.5`), reason: wsevent.ViolationNotJSON},
	{name: "no exponent", piece: with(`"a":1e+`), reason: wsevent.ViolationNotJSON},
	{name: "minus alone", piece: with(`"a":-`), reason: wsevent.ViolationNotJSON},
	{name: "plus", piece: with(`"a":+1`), reason: wsevent.ViolationNotJSON},
	{name: "hexadecimal", piece: with(`"a":0x10`), reason: wsevent.ViolationNotJSON},
	{name: "infinite", piece: with(`"a":Infinity`), reason: wsevent.ViolationNotJSON},
	{name: "not a number", piece: with(`"a":NaN`), reason: wsevent.ViolationNotJSON},
	{name: "misspelt word", piece: with(`"a":nul`), reason: wsevent.ViolationNotJSON},
	{name: "capital word", piece: with(`"a":True`), reason: wsevent.ViolationNotJSON},
	{name: "longer word", piece: with(`"a":trueish`), reason: wsevent.ViolationNotJSON},
	{name: "no value", piece: with(`"a":`), reason: wsevent.ViolationNotJSON},
	{name: "no colon", piece: with(`"a" 1`), reason: wsevent.ViolationNotJSON, detail: "colon"},
	{name: "no comma", piece: with(`"a":1 "b":2`), reason: wsevent.ViolationNotJSON, detail: "comma"},
	{name: "no comma before a dimension", piece: `{` + head + `,"tenantId":"acme","channelType":"voice" "region":"eu"}`, reason: wsevent.ViolationNotJSON},
	{name: "two commas", piece: with(`"a":1,,"b":2`), reason: wsevent.ViolationNotJSON},
	{name: "comma at the end", piece: `{"type":"message.send",}`, reason: wsevent.ViolationNotJSON},
	{name: "no quotes", piece: `{type:message.send}`, reason: wsevent.ViolationNotJSON},
	{name: "single quotes", piece: `{'type':'message.send'}`, reason: wsevent.ViolationNotJSON},
	{name: "comment", piece: with(`/* a */"a":1`), reason: wsevent.ViolationNotJSON},
	{name: "nested: no value", piece: with(`"a":{"b":[1,{"c":}]}`), reason: wsevent.ViolationNotJSON},
	{name: "nested: wrong bracket", piece: `{"tenantId":"acme","a":[1}`, reason: wsevent.ViolationNotJSON},
	{name: "nested: comma at the end", piece: with(`"a":[1,]`), reason: wsevent.ViolationNotJSON},
	{name: "nested: no key", piece: with(`"a":{1:2}`), reason: wsevent.ViolationNotJSON},
	{name: "nested: no colon", piece: with(`"a":{"b"}`), reason: wsevent.ViolationNotJSON},
	{name: "truncated", piece: good[:len(good)-1], reason: wsevent.ViolationNotJSON, loose: true},
	{name: "truncated in a number", piece: `{"timestamp":17156`, reason: wsevent.ViolationNotJSON, loose: true},
	{name: "truncated in a string", piece: `{"type":"messa`, reason: wsevent.ViolationNotJSON, loose: true},
	{name: "truncated in an escape", piece: `{"type":"messa\u00`, reason: wsevent.ViolationNotJSON, loose: true},
	{name: "truncated in a key", piece: `{"typ`, reason: wsevent.ViolationNotJSON, loose: true},
	{name: "truncated behind a key", piece: `{"type"`, reason: wsevent.ViolationNotJSON, loose: true},
	{name: "truncated behind a comma", piece: `{"type":"message.send",`, reason: wsevent.ViolationNotJSON, loose: true},
	{name: "truncated at once", piece: `{`, reason: wsevent.ViolationNotJSON, loose: true},

	{name: "invalid UTF-8", piece: with("\"userId\":\"\xff\xfe\xc3(\""), reason: wsevent.ViolationInvalidUTF8},
	{name: "invalid UTF-8 of an unread key", piece: with("\"a\":\"\xff\""), reason: wsevent.ViolationInvalidUTF8, detail: "byte 113: not UTF-8"},
	{name: "invalid UTF-8 in a key", piece: with("\"a\xc3\":1"), reason: wsevent.ViolationInvalidUTF8},
	{name: "UTF-8 of a surrogate", piece: with("\"a\":\"\xed\xa0\x80\""), reason: wsevent.ViolationInvalidUTF8},
	{name: "invalid UTF-8 and not JSON", piece: with("\"a\":\"\xff\",,"), reason: wsevent.ViolationInvalidUTF8},
	{name: "bytes", piece: "\xff\xfe", reason: wsevent.ViolationInvalidUTF8, loose: true},

	{name: "too deep", piece: with(`"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64)), reason: wsevent.ViolationTooDeep, detail: "nested deeper than 64 levels"},
	{name: "too deep, objects", piece: with(`"a":` + strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64)), reason: wsevent.ViolationTooDeep},
	{name: "far too deep", piece: with(`"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), reason: wsevent.ViolationTooDeep},
	{name: "too deep and wrong", piece: `{"type":5,"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}", reason: wsevent.ViolationTooDeep},
	{name: "too deep for a field", piece: with(`"id":` + strings.Repeat("[", 64) + strings.Repeat("]", 64)), reason: wsevent.ViolationTooDeep},
	{name: "too deep and not closed", piece: `{"a":` + strings.Repeat(`[{"a":`, 10_000), reason: wsevent.ViolationTooDeep, loose: true},

	{name: "key twice", piece: with(`"type":"message.send"`), reason: wsevent.ViolationDuplicateKey, detail: "type: the field is given twice"},
	{name: "key twice, other value", piece: with(`"channelId":"other"`), reason: wsevent.ViolationDuplicateKey},
	{name: "key twice, null", piece: with(`"id":null,"id":"e"`), reason: wsevent.ViolationDuplicateKey},
	{name: "key twice, escaped", piece: with(`"\u0074ype":"message.send"`), reason: wsevent.ViolationDuplicateKey},
	{name: "both spellings", piece: with(`"channel_id":"ch-1"`), reason: wsevent.ViolationDuplicateKey, detail: "channel_id"},

	{name: "type: number", piece: `{"type":5,"tenantId":"acme","channelType":"voice","region":"eu"}`, reason: wsevent.ViolationWrongType, detail: "type: 5 is not a string"},
	{name: "type: true", piece: `{"type":true}`, reason: wsevent.ViolationWrongType},
	{name: "type: array", piece: `{"type":["message.send"]}`, reason: wsevent.ViolationWrongType},
	{name: "type: unknown", piece: `{"type":"connection.teleport"}`, reason: wsevent.ViolationUnknownType, detail: `type: "connection.teleport" is no type of event`},
	{name: "type: capitals", piece: `{"type":"Message.Send"}`, reason: wsevent.ViolationUnknownType},
	{name: "type: empty", piece: `{"type":""}`, reason: wsevent.ViolationUnknownType},
	{name: "type: long", piece: `{"type":"` + strings.Repeat("é", 100) + `"}`, reason: wsevent.ViolationUnknownType, detail: "é… is no type"},
	{name: "type: missing", piece: `{"timestamp":1,"channelId":"c"}`, reason: wsevent.ViolationMissingType},
	{name: "type: null", piece: `{"type":null,"timestamp":1,"channelId":"c"}`, reason: wsevent.ViolationMissingType},
	{name: "nothing", piece: `{}`, reason: wsevent.ViolationMissingType},
	{name: "nothing with space", piece: `{ }`, reason: wsevent.ViolationMissingType},
	{name: "channel: missing", piece: `{"type":"message.send","timestamp":1}`, reason: wsevent.ViolationMissingChannelID},
	{name: "channel: null", piece: `{"type":"message.send","timestamp":1,"channelId":null}`, reason: wsevent.ViolationMissingChannelID},
	{name: "channel: empty", piece: `{"type":"message.send","timestamp":1,"channelId":""}`, reason: wsevent.ViolationMissingChannelID},
	{name: "channel: object", piece: `{"type":"message.send","timestamp":1,"channelId":{"id":1}}`, reason: wsevent.ViolationWrongType, detail: `channelId: {"id":1} is neither`},
	{name: "channel: true", piece: `{"type":"message.send","timestamp":1,"channelId":true}`, reason: wsevent.ViolationWrongType},
	{name: "tenant: object", piece: `{` + head + `,"tenantId":{},"channelType":"voice","region":"eu"}`, reason: wsevent.ViolationWrongType, detail: "tenantId: {}"},
	{name: "channel: fraction", piece: `{"type":"message.send","timestamp":1,"channelId":1.5}`, reason: wsevent.ViolationWrongType},

	{name: "timestamp: missing", piece: `{"type":"message.send","channelId":"c"}`, reason: wsevent.ViolationMissingTimestamp},
	{name: "timestamp: null", piece: `{"type":"message.send","channelId":"c","timestamp":null}`, reason: wsevent.ViolationBadTimestamp, detail: "timestamp: null"},
	{name: "timestamp: true", piece: `{"type":"message.send","channelId":"c","timestamp":true}`, reason: wsevent.ViolationBadTimestamp},
	{name: "timestamp: object", piece: `{"type":"message.send","channelId":"c","timestamp":{}}`, reason: wsevent.ViolationBadTimestamp},
	{name: "timestamp: negative", piece: `{"type":"message.send","channelId":"c","timestamp":-1}`, reason: wsevent.ViolationBadTimestamp, detail: "timestamp: -1 is not after 1970-01-01T00:00:00Z"},
	{name: "timestamp: of a device without a clock", piece: `{"type":"message.send","channelId":"c","timestamp":0}`, reason: wsevent.ViolationBadTimestamp, detail: "timestamp: 0 is not after 1970-01-01T00:00:00Z"},
	{name: "timestamp: of a device without a clock, ISO 8601", piece: `{"type":"message.send","channelId":"c","timestamp":"1970-01-01T00:00:00Z"}`, reason: wsevent.ViolationBadTimestamp, detail: `timestamp: "1970-01-01T00:00:00Z" is not after 1970-01-01T00:00:00Z`},
	{name: "timestamp: words", piece: `{"type":"message.send","channelId":"c","timestamp":"yesterday"}`, reason: wsevent.ViolationBadTimestamp, detail: `timestamp: "yesterday" is neither`},
	{name: "timestamp: empty", piece: `{"type":"message.send","channelId":"c","timestamp":""}`, reason: wsevent.ViolationBadTimestamp},
	{name: "timestamp: far future", piece: `{"type":"message.send","channelId":"c","timestamp":"9999-12-31T23:59:59Z"}`, reason: wsevent.ViolationBadTimestamp, detail: "past the year 2262"},
	{name: "timestamp: huge", piece: `{"type":"message.send","channelId":"c","timestamp":1e300}`, reason: wsevent.ViolationBadTimestamp},
}

// TestDecodeBadPieces is that each bad piece is reported once, as it was received, and
// that its neighbours go on.
func TestDecodeBadPieces(t *testing.T) {
	t.Parallel()
	for _, test := range badPieces {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for name, frame := range map[string]string{
				"alone":                test.piece,
				"alone, new line":      test.piece + "\r\n",
				"between lines":        good + "\n" + test.piece + "\n" + good,
				"in an array":          "[" + good + "," + test.piece + "," + good + "]",
				"in an array only":     "[" + test.piece + "]",
				"in lines of an array": "[\n" + good + ",\n" + test.piece + ",\n" + good + "\n]\n" + good,
			} {
				inArray := strings.Contains(name, "array")
				if inArray && test.loose && !strings.Contains(name, "lines") {
					continue
				}
				got := decode(t, frame)
				want := map[string]string{
					"between lines": "EVE", "in an array": "EVE", "in lines of an array": "EVEE",
				}[name]
				if want == "" {
					want = "V"
				}
				require.Equal(t, want, got.order.String(), "%s: %q", name, got.violations)
				violation := got.violations[0]
				assert.Equal(t, test.reason, violation.Reason, name)
				if !test.loose || !inArray {
					assert.Equal(t, test.piece, string(violation.Raw), name)
					assert.Contains(t, violation.Detail, test.detail, name)
				}
				if strings.Contains(test.piece, `"tenantId":"acme"`) {
					assert.Equal(t, "acme", string(violation.TenantID), name)
				}
				if strings.Contains(test.piece, `"region":"eu"`) && !test.loose {
					assert.Equal(t, "voice", string(violation.ChannelType), name)
					assert.Equal(t, "eu", string(violation.Region), name)
				}
			}
		})
	}
}

// TestDecoder_MemoryIsBounded is that neither large text with escapes nor keys that
// a platform makes up stay in memory.
func TestDecoder_MemoryIsBounded(t *testing.T) {
	t.Parallel()
	d := newDecoder(t, DefaultFields())
	c := &collector{}
	d.Decode([]byte(`{"type":"message.send","timestamp":1,"channelId":"`+strings.Repeat(`\n`, 1<<20)+`"}`), c)
	require.Len(t, c.events, 1)
	assert.LessOrEqual(t, cap(d.scratch), maxScratch)
	known := len(d.root.members)
	for n := range 10 * maxLearnedKeys {
		d.Decode(fmt.Appendf(nil, `{"type":"message.send","timestamp":1,"channelId":"c","k%d":1,"%s%d":1}`, n, strings.Repeat("k", maxLearnedKey), n), c)
	}
	assert.LessOrEqual(t, len(d.root.members), known+maxLearnedKeys)
	bytes := 0
	for key := range d.root.members {
		bytes += len(key)
	}
	assert.LessOrEqual(t, bytes, 2*maxLearnedKeys*maxLearnedKey)
}
